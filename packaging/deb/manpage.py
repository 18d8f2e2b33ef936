"""The manual page, from the help of the command itself: `python manpage.py VERSION > voxgate.1`."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import typer

from voxgate.runtime.cli import COMMANDS, app


def page(version: str) -> Iterator[str]:
    """Its lines, in roff."""
    yield f'.TH VOXGATE 1 "" "VoxGate {version}" "VoxGate"'
    yield ".SH NAME\nvoxgate \\- one part scanned, one verdict out"
    yield ".SH SYNOPSIS\n.B voxgate\n.I COMMAND\n[\\fIOPTION\\fR]..."
    yield ".SH DESCRIPTION\nA robot carries a camera around a part."
    yield "What is not proven good is not PASS."
    yield "Every command says with \\fB\\-\\-help\\fR what it takes."
    helps = _helps()
    for work, names in COMMANDS.items():
        yield f".SS {_roff(work)}"
        for name in names:
            yield f".TP\n.B {_roff(name)}\n{_roff(helps.get(name, ''))}"
    yield ".SH EXIT STATUS\n0 done (or PASS), 1 FAIL, 2 wrong input or usage, 3 INDETERMINATE,"
    yield "4 a replay that came to another verdict than the line."
    yield ".SH FILES\n.TP\n.I /etc/voxgate/voxgate.yaml\nthe cell that voxgate.service serves"
    yield ".TP\n.I /var/lib/voxgate\njournal and recordings"
    yield ".TP\n.I /usr/share/doc/voxgate/examples\ncommented configurations"


def _helps() -> dict[str, str]:
    group = typer.main.get_command(app)
    commands = getattr(group, "commands", {})
    return {name: (each.help or "").partition("\n")[0] for name, each in commands.items()}


def _roff(text: str) -> str:
    return text.replace("\\", "\\e").replace("-", "\\-").replace("`", "")


if __name__ == "__main__":
    sys.stdout.write("\n".join(page(sys.argv[1])) + "\n")
