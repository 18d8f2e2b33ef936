"""What a version of a recipe changes against the one before: what its signer answers for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from voxgate.runtime.common.text import one_line
from voxgate.runtime.errors import RecipeError
from voxgate.runtime.recipe.folder import manifest_of, manifest_text
from voxgate.runtime.recipe.manifest import Manifest
from voxgate.runtime.recipe.store import version_before

MOST_SHOWN = 60  # characters of a value


def changes_since_before(folder: Path, manifest: Manifest) -> Iterator[str]:
    """One line each, behind the name of the version before; none but that where there is none."""
    before = version_before(folder.resolve())
    if before is None:
        yield f"{manifest.name}/{manifest.version}: there is no version before it here"
        return
    try:
        older = manifest_of(before, manifest_text(before))
    except RecipeError as error:
        yield f"the version before cannot be read: {one_line(error)}"
        return
    yield f"against {older.name}/{older.version}:"
    old, new = _flat(older.model_dump(mode="json")), _flat(manifest.model_dump(mode="json"))
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key):
            yield f"  {one_line(key)}: {_shown(old.get(key))} -> {_shown(new.get(key))}"


def _flat(value: Any, inside: str = "") -> dict[str, Any]:
    if not isinstance(value, dict):
        return {inside: value}
    found: dict[str, Any] = {}
    for key, each in value.items():
        found |= _flat(each, f"{inside}.{key}" if inside else str(key))
    return found


def _shown(value: Any) -> str:
    return "nothing" if value is None else one_line(str(value), MOST_SHOWN)
