"""The folder of recipes on the box: find one, put one in whole or not at all, see what is there."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from voxgate.runtime.common.durable import sync
from voxgate.runtime.common.labels import VERSION
from voxgate.runtime.config.sections import Recipes
from voxgate.runtime.errors import RecipeError
from voxgate.runtime.recipe.folder import MANIFEST_FILE
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.recipe.release import RELEASE_FILE, natural, read_release
from voxgate.runtime.recipe.signature import SIGNATURE_FILE, Trust

DRAFT_PREFIX = ".draft-"  # no recipe's name begins with a dot


@dataclass(frozen=True, slots=True)
class Stored:
    """One recipe of the folder; problem: why it would not be opened."""

    label: str
    signer: str | None
    problem: str | None


def trust_of(recipes: Recipes) -> Trust:
    """Whose recipes this cell opens."""
    signers = {signer.public_key: signer.name for signer in recipes.signers}
    return Trust(signers, recipes.allow_unsigned)


def check_place(label: str, folder: Path) -> None:
    """A recipe that was copied under another name must not serve under it."""
    if label != f"{folder.parent.name}/{folder.name}":
        raise RecipeError(f"{folder}: holds recipe {label}: export it under this name and version")


def recipe_folder(recipes: Path, name: str) -> Path:
    """`recipes/name/version`; without a version the newest. Raises RecipeError."""
    folder = recipes / name
    if "/" in name:
        return folder
    try:
        versions = [path for path in folder.iterdir() if _is_version(path)]
    except OSError as error:
        raise RecipeError(f"recipe {name}: {folder}: {error.strerror}") from error
    if not versions:
        raise RecipeError(f"recipe {name}: {folder} holds no version with a manifest.json")
    return max(versions, key=lambda path: natural(path.name))


def opened(recipes: Recipes, name: str) -> Recipe:
    """The recipe that this cell would serve under `name`, read and checked. Raises RecipeError."""
    folder = recipe_folder(recipes.folder, name)
    recipe = Recipe.load(folder, trust_of(recipes))
    check_place(recipe.label, folder)
    check_release(recipes, recipe)
    return recipe


def check_release(recipes: Recipes, recipe: Recipe) -> None:
    """Raises RecipeError for a version that a signer has taken back."""
    name, version = recipe.manifest.name, recipe.manifest.version
    release = read_release(recipes.folder / name, trust_of(recipes))
    if release is None and recipes.release_required:
        raise RecipeError(
            f"{recipes.folder / name / RELEASE_FILE}: missing, and recipes.release_required asks "
            "for it: voxgate recipe release"
        )
    if release is not None:
        release.check(name, version)


def install(source: Path, recipes: Path, trust: Trust) -> str:
    """Copy a recipe to `recipes/name/version` and return its label.

    It is read and checked, signature and all, before and after the copy, and appears under its name
    in one step: whoever prepares it meanwhile finds all of it or nothing. Raises RecipeError; then
    nothing is left behind.
    """
    recipe = Recipe.load(source, trust)
    target = recipes / recipe.manifest.name / recipe.manifest.version
    if target.exists():
        raise RecipeError(
            f"{target}: is installed already, and a recipe never changes: choose a new version"
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=DRAFT_PREFIX, dir=target.parent))
    except OSError as error:
        raise RecipeError(f"{target}: {error.strerror}: install where you may write") from error
    try:
        _copy(source, draft, [MANIFEST_FILE, SIGNATURE_FILE, *recipe.manifest.files])
        for plan in Recipe.load(draft, trust).plans:  # a copy that was torn is not put in place
            plan.content()
        draft.chmod(0o755)
        draft.rename(target)
        sync(target.parent)
    except OSError as error:
        raise RecipeError(f"{target}: {error.strerror}: nothing was installed") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return recipe.label


def stored(recipes: Recipes) -> Iterator[Stored]:
    """Every recipe of the folder by name and version, each opened as for its preparation."""
    signers = trust_of(recipes).signers
    for manifest in sorted(recipes.folder.glob(f"[!.]*/[!.]*/{MANIFEST_FILE}")):
        label = f"{manifest.parent.parent.name}/{manifest.parent.name}"
        try:
            signature = opened(recipes, label).signature
        except RecipeError as error:
            yield Stored(label, None, str(error))
            continue
        signer = None if signature is None else signers[signature.public_key]
        yield Stored(label, signer, None)


def version_before(folder: Path) -> Path | None:
    """The newest version beside this one that is older; None: there is none."""
    older = [path for path in folder.parent.iterdir() if _is_version(path)]
    own = natural(folder.name)
    return max(
        (path for path in older if natural(path.name) < own),
        key=lambda path: natural(path.name),
        default=None,
    )


def _is_version(path: Path) -> bool:
    """Not what an install left behind that was killed."""
    return re.fullmatch(VERSION, path.name) is not None and (path / MANIFEST_FILE).is_file()


def _copy(source: Path, draft: Path, names: list[str]) -> None:
    for name in names:
        if not (source / name).exists():
            continue  # an unsigned recipe has no signature; the load above missed nothing else
        (draft / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, draft / name)
        (draft / name).chmod(0o644)
        sync(draft / name)  # what is renamed into place must be there before its name is
    sync(draft)
