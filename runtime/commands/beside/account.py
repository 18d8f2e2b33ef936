"""`voxgate account ...`: who may see the page from another machine."""

from __future__ import annotations

import sys
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from voxgate.runtime.errors import KeyFileError

app = typer.Typer(help="Who may see the page from another machine.", no_args_is_help=True)
File = Annotated[Path, typer.Option("--accounts", help="The file that page.accounts names.")]
Name = Annotated[str, typer.Argument(help="By which a person logs in.")]


class RoleName(str, Enum):
    """Each sees what those before it see."""

    OPERATOR = "operator"
    QUALITY = "quality"
    MAINTENANCE = "maintenance"


@app.command()
def add(
    name: Name,
    role: Annotated[RoleName, typer.Option(help="Each sees what those before it see.")],
    accounts: File,
) -> None:
    """Add an account, or give it another password or role; a pipe's first line is the password."""
    from voxgate.runtime.common.people.accounts import put_account
    from voxgate.runtime.common.people.role import Role

    put_account(accounts, name, Role(role.value), _password())
    typer.echo(f"{name} is {role.value}; `voxgate page` reads {accounts} when it starts")


@app.command("list")
def list_accounts(accounts: File) -> None:
    """Names and roles."""
    from voxgate.runtime.common.people.accounts import read_accounts

    for account in read_accounts(accounts):
        typer.echo(f"{account.name}  {account.role.value}")


@app.command()
def remove(name: Name, accounts: File) -> None:
    """Take an account away."""
    from voxgate.runtime.common.people.accounts import read_accounts, write_accounts

    known = read_accounts(accounts)
    left = [account for account in known if account.name != name]
    if len(left) == len(known):
        raise KeyFileError(f"{accounts}: has no account {name}")
    write_accounts(accounts, left)
    typer.echo(f"{name} is gone; restart `voxgate page` to end what is open")


def _password() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\n")
