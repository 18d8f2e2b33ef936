"""By what a service was set up: its whole configuration, whose keys it lists, what serves."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict

from voxgate.runtime.config.cell import Cell
from voxgate.runtime.config.sections import CellConfig
from voxgate.runtime.nouns import How, Origin
from voxgate.runtime.records.chain import Event, Kind
from voxgate.runtime.wire.curve import load_key_pair

LISTED = "listed"
"""Subject of what is told of keys."""


def configured(cell: Cell) -> Event:
    """The YAML and the calibration as they were read, for the journal."""
    content = hashlib.sha256(cell.document.encode()).hexdigest()
    return Event(Kind.CONFIGURATION, cell.configuration_id, detail=cell.document, content=content)


def keys_changed(config: CellConfig, before: str | None) -> Event | None:
    """Who was put on the list of keys or taken off since the entry `before`; None: nobody.

    Raises KeyFileError: the box's own key cannot be read.
    """
    listed = dict(_keys(config))
    told: dict[str, str] = {} if before is None else json.loads(before)["keys"]
    changes = list(_changes(told, listed))
    if before is not None and not changes:
        return None
    return Event(Kind.KEYS, LISTED, detail=json.dumps({"changes": changes, "keys": listed}))


def serves(label: str, how: How, origin: Origin) -> Event:
    """A recipe that decides parts from now on, and who answers for it."""
    return Event(Kind.SERVES, label, detail=json.dumps({"how": how.value, **asdict(origin)}))


def _keys(config: CellConfig) -> Iterator[tuple[str, str]]:
    security = config.security
    if security is not None:
        yield "the box", load_key_pair(security.secret_key).public.decode()
        for peer in security.peers:
            may = f"{'+'.join(sorted(peer.roles))}, may {'+'.join(sorted(peer.may))}"
            yield f"peer {peer.name}", f"{peer.public_key} ({may})"
    for signer in config.recipes.signers:
        yield f"signer {signer.name}", signer.public_key


def _changes(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    yield from (f"{name}: listed" for name in now if name not in before)
    yield from (f"{name}: no longer listed" for name in before if name not in now)
    yield from (f"{name}: changed" for name in now if before.get(name, now[name]) != now[name])
