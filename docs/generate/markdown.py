"""How a generated page writes its tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; empty when there is no row."""
    body = [_row(row) for row in rows]
    return "\n".join([_row(head), "|" + "---|" * len(head), *body]) + "\n" if body else ""


def code(text: str) -> str:
    """As it is typed; nothing for nothing."""
    return f"`{text}`" if text else ""


def sentence(text: str) -> str:
    """With a capital and a full stop, on one line."""
    text = " ".join(text.split())
    if not text:
        return text
    first = text.split()[0].strip(",;()")  # a word, not a file, a key or a value such as `true:`
    told = text[0].upper() + text[1:] if first.isalpha() else text
    return told if told[-1] in ".?!:" else told + "."


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def _cell(text: str) -> str:
    parts = text.replace("|", "\\|").split("`")
    parts[::2] = [each.replace("<", "&lt;") for each in parts[::2]]
    return " ".join("`".join(parts).split())
