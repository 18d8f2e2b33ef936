"""`voxgate bench`; it imports the figures when it is asked for them."""

from __future__ import annotations

from typing import Annotated

import typer


def bench(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Such as fusion, live or soak; `?` lists them. Default: all that a box can, "
            "but the nights'.",
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="A few rows only, of the figures that have many.")
    ] = False,
) -> None:
    """Measure on this machine what docs/reference/figures.md says."""
    from voxgate.benchmarks.__main__ import run

    run(names or [], quick)
