"""reference/cli.md: every command with its arguments, options, ranges and defaults."""

from __future__ import annotations

from collections.abc import Iterator

from docs.generate.console import Command, Parameter, commands
from docs.generate.markdown import code, sentence, table


def cli() -> str:
    """A list of all commands, then a section for each."""
    every = tuple(commands())
    rows = ([f"[`{each.words}`](#{_anchor(each)})", _first_line(each)] for each in every)
    return "\n".join([table(("command", "does"), rows), *map(_section, every)])


def _first_line(command: Command) -> str:
    return command.help.split("\n")[0]


def _anchor(command: Command) -> str:
    return command.words.replace(" ", "-")


def _section(command: Command) -> str:
    usage = f"{command.words} {' '.join(_usage(command))}".rstrip()
    rows = [
        [" ".join(map(code, each.names)), code(each.takes), _said(each)]
        for each in command.parameters
    ]
    said = [f"## {command.words}", "", command.help, "", "```text", usage, "```", ""]
    return "\n".join([*said, table(("argument or option", "takes", "means"), rows)])


def _usage(command: Command) -> Iterator[str]:
    """Arguments and what must be given; the rest is [OPTIONS]."""
    for each in command.parameters:
        dots = " ..." if each.repeatable else ""
        word = (
            f"{each.names[0]} {each.takes.split(',')[0]}{dots}"
            if each.is_option
            else each.names[0] + dots
        )
        if each.required:
            yield word
        elif not each.is_option:
            yield f"[{word}]"
    if any(each.is_option and not each.required for each in command.parameters):
        yield "[OPTIONS]"


def _said(parameter: Parameter) -> str:
    said = [sentence(parameter.help)]
    if parameter.required:
        said.append("**Must be given.**")
    if parameter.variable is not None:
        said.append(f"Or `{parameter.variable}` of the environment.")
    if parameter.repeatable and "epeatable" not in parameter.help:
        said.append("Repeatable.")
    if parameter.default is not None:
        said.append(f"Default: `{parameter.default}`.")
    return " ".join(filter(None, said))
