"""The words of the console command, read off the functions that carry them out."""

from __future__ import annotations

import inspect
import types
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import typer
from typer.models import ArgumentInfo, OptionInfo

from voxgate.runtime.cli import app

WORDS: dict[Any, str] = {Path: "PATH", int: "INTEGER", float: "NUMBER", str: "TEXT"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument or option, as a person types it.

    names: of an option, such as ("--config", "-c"); of an argument its name in capitals.
    takes: what follows an option, "" for a switch. default: None where nothing is the default.
    variable: of the environment, which says it where nobody types it.
    """

    names: tuple[str, ...]
    takes: str
    help: str
    default: str | None
    required: bool
    repeatable: bool
    is_option: bool
    variable: str | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """`voxgate` and the words behind it, with what the function's docstring says."""

    path: tuple[str, ...]
    help: str
    parameters: tuple[Parameter, ...]

    @property
    def words(self) -> str:
        """As it is typed."""
        return " ".join(("voxgate", *self.path))

    @property
    def options(self) -> frozenset[str]:
        """Every option it takes."""
        own = (name for each in self.parameters if each.is_option for name in each.names)
        return frozenset((*own, "--help"))


def commands(of: typer.Typer = app, path: tuple[str, ...] = ()) -> Iterator[Command]:
    """Every command, in the order in which `voxgate --help` lists them."""
    for info in of.registered_commands:
        if info.callback is not None:
            name = info.name or info.callback.__name__.replace("_", "-")
            said = inspect.cleandoc(info.callback.__doc__ or "")
            yield Command((*path, name), said, tuple(_parameters(info.callback)))
    for group in of.registered_groups:
        if group.typer_instance is not None:
            yield from commands(group.typer_instance, (*path, group.name or ""))


def _parameters(function: Any) -> Iterator[Parameter]:
    hints = get_type_hints(function, include_extras=True)
    for name, signature in inspect.signature(function).parameters.items():
        kind, info = _annotated(hints[name])
        empty = signature.default is inspect.Parameter.empty
        yield _parameter(name, kind, info, None if empty else signature.default, empty)


def _annotated(hint: Any) -> tuple[Any, ArgumentInfo | OptionInfo]:
    hint = _without_none(hint)  # Python 3.10 puts a default of None around the whole
    if get_origin(hint) is Annotated:
        kind, *rest = get_args(hint)
        for each in rest:
            if isinstance(each, (ArgumentInfo, OptionInfo)):
                return kind, each
    raise TypeError(f"{hint} says neither typer.Argument nor typer.Option")


def _parameter(
    name: str, kind: Any, info: ArgumentInfo | OptionInfo, default: Any, required: bool
) -> Parameter:
    plain = _without_none(kind)
    repeatable = get_origin(plain) is list
    if repeatable:
        (plain,) = get_args(plain)
    is_option = isinstance(info, OptionInfo)
    takes = "" if plain is bool else _range(_word(plain), info)
    return Parameter(
        _names(name, info, plain) if is_option else (name.upper(),),
        takes,
        info.help or "",
        _default(default),
        required,
        repeatable,
        is_option,
        info.envvar if isinstance(info.envvar, str) else None,
    )


def _names(name: str, info: ArgumentInfo | OptionInfo, kind: Any) -> tuple[str, ...]:
    # inside Annotated the first name stands where a default would
    given = (info.default, *(info.param_decls or ()))
    told = tuple(each for each in given if isinstance(each, str) and each.startswith("-"))
    usual = "--" + name.replace("_", "-")
    if not told:
        return (usual, usual.replace("--", "--no-", 1)) if kind is bool else (usual,)
    return told if any(each.startswith("--") for each in told) else (usual, *told)


def _without_none(kind: Any) -> Any:
    if get_origin(kind) in (Union, types.UnionType):
        (kind,) = (each for each in get_args(kind) if each is not type(None))
    return kind


def _word(kind: Any) -> str:
    if isinstance(kind, type) and issubclass(kind, Enum):
        return " or ".join(str(each.value) for each in kind)
    return WORDS.get(kind, "TEXT")


def _range(word: str, info: ArgumentInfo | OptionInfo) -> str:
    low, high = info.min, info.max
    if low is None and high is None:
        return word
    return f"{word}, {'' if low is None else f'{low:g}'} to {'' if high is None else f'{high:g}'}"


def _default(value: Any) -> str | None:
    if value in (None, False, "", ()):
        return None
    if value is True:
        return "on"
    return str(value.value if isinstance(value, Enum) else value)
