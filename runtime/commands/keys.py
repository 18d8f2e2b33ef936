"""`voxgate keys ...` and `voxgate sign`: make keys, say where they go, answer for a recipe."""

from __future__ import annotations

from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Make the keys of a cell; each command prints the lines for the cell's YAML.",
    no_args_is_help=True,
)
NAME = r"^[a-z0-9_-]{1,32}$"
Folder = Annotated[Path, typer.Option(help="Where the secret file goes.")]
PeerName = Annotated[str, typer.Argument(help="1 to 32 of a-z 0-9 _ -.")]
AskPassphrase = Annotated[
    bool, typer.Option("--ask-passphrase", help="The key file is locked with a passphrase.")
]


class RoleName(str, Enum):
    """What a peer may do."""

    POSES = "poses"
    COMMANDS = "commands"
    VERDICTS = "verdicts"
    FRAMES = "frames"
    PICTURES = "pictures"


@app.command()
def box(out: Folder) -> None:
    """The box's own key pair."""
    from voxgate.runtime.wire.keys import make_key_pair

    path, keys = make_key_pair(out, "box", for_group=True)
    typer.echo(
        f"security:\n  secret_key: {path}\n  peers:   # one line for each `voxgate keys peer`\n"
        f"# every peer is told the box's public key: {keys.public.decode()}"
    )


@app.command()
def peer(
    name: PeerName,
    role: Annotated[list[RoleName], typer.Option(help="What it may do. Repeatable.")],
    out: Folder,
    for_group: Annotated[
        bool, typer.Option("--for-group", help="Its folder's group may read it, as `page` needs.")
    ] = False,
) -> None:
    """The key pair of one program that may connect: a robot, a camera computer, a display."""
    from voxgate.runtime.wire.keys import make_key_pair

    _check_name(name)
    path, keys = make_key_pair(out, name, for_group)
    roles = ", ".join(dict.fromkeys(each.value for each in role))
    typer.echo(f'    - {{name: {name}, roles: [{roles}], public_key: "{keys.public.decode()}"}}')
    typer.echo(f"# {path} belongs to {name} alone: carry it there and delete it here", err=True)


@app.command()
def signer(name: PeerName, out: Folder, ask_passphrase: AskPassphrase = False) -> None:
    """The key pair of somebody who answers for recipes."""
    from voxgate.runtime.wire.keys import make_signer

    _check_name(name)
    passphrase = _new_passphrase() if ask_passphrase else None
    path, public = make_signer(out, name, passphrase)
    typer.echo(f'  signers: [{{name: {name}, public_key: "{public}"}}]   # under `recipes`')
    typer.echo(f"# {path} signs: keep it off the box", err=True)


def sign(
    recipe: Annotated[Path, typer.Argument(help="Folder of the recipe.")],
    key: Annotated[Path, typer.Option(help="Secret file of `voxgate keys signer`.")],
    days: Annotated[
        int | None, typer.Option(min=1, max=36_500, help="Valid for so long; default: for ever.")
    ] = None,
    ask_passphrase: AskPassphrase = False,
) -> None:
    """Answer for a recipe: write its SIGNATURE. Whoever trusts this key will open it."""
    from voxgate.runtime.common.wall_clock import utc_now
    from voxgate.runtime.recipe.changes import changes_since_before
    from voxgate.runtime.recipe.folder import manifest_text
    from voxgate.runtime.recipe.recipe import Recipe
    from voxgate.runtime.recipe.signature import sign as signature_of
    from voxgate.runtime.recipe.signature import write_signature
    from voxgate.runtime.wire.keys import load_signer

    passphrase = typer.prompt("passphrase", hide_input=True, err=True) if ask_passphrase else None
    owner = load_signer(key, passphrase)
    text = manifest_text(recipe)  # once: what is checked is what is signed
    signed = Recipe.of_manifest(recipe, text)  # nobody signs what is damaged
    for plan in signed.plans:
        plan.content()
    for line in changes_since_before(recipe, signed.manifest):
        typer.echo(line)
    until = None if days is None else utc_now() + timedelta(days=days)
    signature = signature_of(text, owner, until)
    write_signature(recipe, signature)
    valid = "for ever" if until is None else f"until {until:%Y-%m-%d %H:%M} UTC"
    typer.echo(f"{signed.label} is signed by {signature.public_key}, {valid}")


def _new_passphrase() -> str:
    given: str = typer.prompt("passphrase", hide_input=True, confirmation_prompt=True, err=True)
    return given


def _check_name(name: str) -> None:
    import re

    if re.fullmatch(NAME, name) is None:
        raise typer.BadParameter(f"{name!r}: a name is 1 to 32 of a-z 0-9 _ -")
