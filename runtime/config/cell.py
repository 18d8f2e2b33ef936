"""A cell's YAML: loaded once, frozen, every number ranged, every contradiction named by its line.

`check_config` finds what is wrong with a file, `load_cell` refuses it, `config_schema` tells an
editor what may stand in it. configs/bracket_cell.yaml is the commented example.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from voxgate.runtime.common.explain import finding
from voxgate.runtime.common.explain import key as wrong_key
from voxgate.runtime.common.labels import MAX_CAMERAS
from voxgate.runtime.config.contradictions import contradictions
from voxgate.runtime.config.did_you_mean import did_you_mean
from voxgate.runtime.config.document import Document, Key, read_yaml
from voxgate.runtime.config.fields import BASE
from voxgate.runtime.config.sections import CellConfig
from voxgate.runtime.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Cell:
    """A configuration that was found to be sound, and what identifies it in a verdict."""

    file: Path
    config: CellConfig
    configuration_id: str  # 16 hex digits over the YAML's data and the calibration files
    document: str = ""  # all of them, as JSON


def load_cell(file: Path, without: str | tuple[str, ...] | None = None) -> Cell:
    """The cell in `file`. Raises ConfigError with the first problem and how many more there are.

    without: sections that nobody will use; what is contradictory or not there in one is no problem.
    """
    unused = (without,) if isinstance(without, str) else without or ()
    document, config = _read(file, unused)
    if config is None or document.problems:
        more = len(document.problems) - 1
        hint = f" (and {more} more: voxgate check {file})" if more else ""
        raise ConfigError(f"{document.problems[0]}{hint}")
    data = json.dumps(document.data, sort_keys=True)
    files = {name: path.read_bytes() for name, path in config.calibrations.items()}
    return Cell(file, config, _identity(data, b"".join(files.values())), _kept(document, files))


def check_config(file: Path) -> list[str]:
    """One line per problem of `file`, `file:line:key: value: what is allowed`; empty = sound."""
    return [str(problem) for problem in _read(file)[0].problems]


def at_its_line(file: Path, findings: Iterable[tuple[Key, str]]) -> list[str]:
    """One line per finding about a sound file, as `check_config` gives them."""
    document = read_yaml(file)
    return [str(document.problem(key, what)) for key, what in findings]


def config_schema() -> dict[str, Any]:
    """JSON Schema of the YAML, for editors (`# yaml-language-server: $schema=...`)."""
    schema = CellConfig.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _read(file: Path, unused: tuple[str, ...] = ()) -> tuple[Document, CellConfig | None]:
    document = read_yaml(file)
    if document.data is None:
        return document, None
    config = _validated(document)
    if config is not None:
        document.problems += [
            document.problem(key, what)
            for key, what in contradictions(config)
            if key[0] not in unused
        ]
    return document, config


def _validated(document: Document) -> CellConfig | None:
    refused = {problem.key for problem in document.problems}
    try:
        # through JSON, so that a list may become a tuple while "5" never becomes 5
        return CellConfig.model_validate_json(
            json.dumps(document.data), context={BASE: document.file.parent}
        )
    except ValidationError as error:
        for key, what in _findings(document, error):
            if key not in refused:
                document.problems.append(document.problem(key, what))
        return None


def _findings(document: Document, error: ValidationError) -> Iterator[tuple[Key, str]]:
    """Each with its key; what is only said because something inside is wrong is left out."""
    found = [(document.place(wrong_key(item)), item) for item in error.errors(include_url=False)]
    for key, item in found:
        if (key, item["type"]) == (("cameras",), "too_long"):
            given = item["ctx"]["actual_length"]
            yield key, f"{given} cameras: a cell has at most {MAX_CAMERAS}"
        elif item["type"] == "extra_forbidden":
            yield key, finding(item) + did_you_mean(key)
        elif not any(len(other) > len(key) and other[: len(key)] == key for other, _ in found):
            yield key, finding(item)


def _kept(document: Document, calibrations: Mapping[str, bytes]) -> str:
    told = {name: content.decode("utf-8", "replace") for name, content in calibrations.items()}
    if len(told) == 1:
        return json.dumps({"yaml": document.data, "calibration": next(iter(told.values()))})
    return json.dumps({"yaml": document.data, "calibrations": told})


def _identity(data: str, calibration: bytes) -> str:
    return hashlib.sha256(data.encode() + calibration).hexdigest()[:16]
