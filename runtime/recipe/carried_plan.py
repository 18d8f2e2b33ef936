"""TensorRT plans that travel in a recipe's folder, covered by its signature as every file of it is.

A plan is code: it is read when it is to be loaded, after the signature and against the manifest's
sha256, and not before.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from voxgate.runtime.errors import RecipeError
from voxgate.runtime.recipe.folder import MANIFEST_FILE, read_file, sha256
from voxgate.runtime.recipe.manifest import Manifest, PlanSection
from voxgate.runtime.recipe.signature import SIGNATURE_FILE


@dataclass(frozen=True, slots=True)
class CarriedPlan:
    """What the manifest says of one, and where it lies."""

    section: PlanSection
    folder: Path
    digest: str

    def content(self) -> bytes:
        """Raises RecipeError when it is missing or was altered."""
        return read_file(self.folder, self.section.file, self.digest)


def carried_plans(folder: Path, manifest: Manifest) -> tuple[CarriedPlan, ...]:
    """Of every model and card, unread."""
    return tuple(CarriedPlan(plan, folder, manifest.files[plan.file]) for plan in manifest.plans)


def check_unsigned(folder: Path) -> None:
    """Raises RecipeError for a recipe that somebody has answered for already."""
    if (folder / SIGNATURE_FILE).exists():
        raise RecipeError(
            f"{folder}: is signed, and its signature covers the plans: give --out DIR for a copy "
            "with plans, then voxgate sign DIR"
        )


def add_plans(folder: Path, manifest: Manifest, plans: Mapping[PlanSection, bytes]) -> Manifest:
    """Put plans into an unsigned recipe's folder, in the place of those for the same model and
    card; the manifest last. Raises RecipeError."""
    named = {plan.file: plan for plan in manifest.plans} | {plan.file: plan for plan in plans}
    digests = {plan.file: sha256(content) for plan, content in plans.items()}
    update = {"plans": tuple(named.values()), "files": {**manifest.files, **digests}}
    changed = manifest.model_copy(update=update)
    files = {plan.file: content for plan, content in plans.items()}
    files[MANIFEST_FILE] = (changed.model_dump_json(indent=2) + "\n").encode()
    try:
        _replace_all(folder, files)
    except OSError as error:
        raise RecipeError(f"{folder}: cannot be written: {error.strerror}") from error
    return changed


def copy_with_plans(
    folder: Path, out: Path, manifest: Manifest, plans: Mapping[PlanSection, bytes]
) -> None:
    """The recipe with plans, as a folder that is there as a whole or not at all; nobody has signed
    it. Raises RecipeError."""
    draft = out.with_name(f".{out.name}.{secrets.token_hex(4)}")
    try:
        draft.mkdir(parents=True)
        for name in manifest.files.keys() - {plan.file for plan in plans}:
            (draft / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / name, draft / name)
        add_plans(draft, manifest, plans)
        draft.rename(out)
    except OSError as error:
        raise RecipeError(f"{out}: cannot be written: {error.strerror}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _replace_all(folder: Path, files: Mapping[str, bytes]) -> None:
    """In their order, and none before all of them are on the disk. Raises OSError."""
    mark = secrets.token_hex(4)
    drafts = {name: folder / f".{name}.{mark}" for name in files}
    try:
        for name, content in files.items():
            drafts[name].write_bytes(content)
        for name, draft in drafts.items():
            draft.replace(folder / name)
    finally:
        for draft in drafts.values():
            draft.unlink(missing_ok=True)
