"""What a pattern of our fields allows, in words: nobody at a cell reads regular expressions."""

from __future__ import annotations

import re

_FORM = re.compile(
    r"\^(?:\[(?P<first>[^\]]+)\])?\[(?P<of>.+?)\](?:\{(?P<least>\d+)(?:,(?P<most>\d+))?\})\$"
)
_RANGE = re.compile(r"\\?(?P<one>.)(?:-(?P<last>\w))?", re.DOTALL)
_VERSIONED = re.compile(r"(?P<name>\^.+\})\(/.+\)\?\$")


def in_words(pattern: str) -> str:
    """`1 to 32 of a-z 0-9 _ -`; the pattern itself where it has another form."""
    versioned = _VERSIONED.fullmatch(pattern)
    if versioned is not None:
        return f"NAME or NAME/VERSION, each {_words(versioned['name'] + '$')}, and . in a version"
    return _words(pattern)


def _words(pattern: str) -> str:
    form = _FORM.fullmatch(pattern)
    if form is None:
        return f"as {pattern}"
    leads = 0 if form["first"] is None else 1
    least = int(form["least"]) + leads
    most = int(form["most"] or form["least"]) + leads
    count = f"{most}" if least == most else f"{least} to {most}"
    first = "" if not leads else f", the first of {_characters(form['first'])}"
    return f"{count} of {_characters(form['of'])}{first}"


def _characters(inside: str) -> str:
    """`A-Z a-z 0-9 . _` of what stands between brackets."""
    pieces = (
        f"{found['one']}-{found['last']}" if found["last"] else found["one"]
        for found in _RANGE.finditer(inside)
    )
    return " ".join(pieces)
