"""What the pages show: their links, their blocks of code, and the commands in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.kits.repository import ROOT

PAGES = tuple(
    [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    + sorted((ROOT / "docs").rglob("*.md"))
)
FENCED = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)(?: title=\"(?P<title>[^\"]+)\")?\n(?P<text>.*?)^ *```$",
    re.DOTALL | re.MULTILINE,
)
INDENTED = re.compile(r"(?:^    .*\n)+", re.MULTILINE)
SPAN = re.compile(r"(?<!`)`(?P<text>[^`\n]+)`(?!`)")
LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} (?P<text>.+)$", re.MULTILINE)
SEPARATORS = re.compile(r"\s*(?:;|&&|\|\||\||&$|&\s)\s*")

BEFORE = re.compile(r"^(?:sudo (?:-u \w+ )?|[A-Z_]+=\S+ )*")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block. title: the file that a reader is told to write."""

    language: str
    title: str
    text: str


def name_of(page: Path) -> str:
    """As a person names it."""
    return str(page.relative_to(ROOT))


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in its order."""
    for found in FENCED.finditer(page.read_text(encoding="utf-8")):
        indent, text = found["indent"], found["text"]
        lines = [line.removeprefix(indent) for line in text.splitlines(keepends=True)]
        yield Block(found["language"], found["title"] or "", "".join(lines))


def shell(page: Path) -> str:
    """Everything that a page tells a person to type, in its order."""
    typed = (block.text for block in blocks(page) if block.language == "sh")
    return "".join(typed).replace("\\\n", "")


def shown_commands(page: Path) -> Iterator[tuple[str, ...]]:
    """The words of every `voxgate ...` that a page shows, in blocks and between backticks."""
    text = page.read_text(encoding="utf-8")
    plain = FENCED.sub("", text)
    spans = (found["text"] for found in SPAN.finditer(plain))
    for line in [*shell(page).splitlines(), *"".join(INDENTED.findall(plain)).splitlines(), *spans]:
        yield from _commands(line)


def _commands(line: str) -> Iterator[tuple[str, ...]]:
    told = line.partition(" #")[0]
    for part in SEPARATORS.split(told):
        words = BEFORE.sub("", part.replace('"', "").replace("'", "")).split()
        if words and (words[0] == "voxgate" or words[0].endswith("/bin/voxgate")):
            yield tuple(words[1:])


def links(page: Path) -> Iterator[str]:
    """Targets of the links and pictures that stay in the repository."""
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    for found in LINK.finditer(SPAN.sub("", text)):
        if not found["target"].startswith(("http://", "https://")):
            yield found["target"]


def anchors(page: Path) -> frozenset[str]:
    """What a link may name behind `#`, by the rule that repositories and the page builder share."""
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    return frozenset(_slug(found["text"]) for found in HEADING.finditer(text))


def _slug(heading: str) -> str:
    kept = re.sub(r"[^\w\s-]", "", heading.lower().replace("`", "")).strip()
    return re.sub(r"[\s]+", "-", kept)
