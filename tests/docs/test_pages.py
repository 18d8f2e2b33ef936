"""The pages say what is so: commands exist, links lead somewhere, what the code says is current."""

from __future__ import annotations

import re
from itertools import pairwise, takewhile
from pathlib import Path

import pytest

from docs.generate.__main__ import fresh, pages
from docs.generate.console import Command, commands
from tests.kits.pages import PAGES, anchors, blocks, links, name_of, shell, shown_commands
from tests.kits.repository import ROOT
from voxgate.runtime.config.cell import check_config
from voxgate.sim.field.faults import fault_from_text

README_LINES = 200
MADE_LATER = re.compile("no such (?:file|folder)|not in recipes|signers")
"""What a page has made or written by other steps."""
EVERY = {command.path: command for command in commands()}
GROUPS = {path[:length] for path in EVERY for length in range(len(path))}
"""Words that need another word behind them: (), ("calib",) ..."""


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_page_shows_a_command_or_an_option_that_does_not_exist(page: Path) -> None:
    wrong = [problem for words in shown_commands(page) for problem in _problems(words)]
    assert not wrong, f"{name_of(page)}: {wrong}"


def _problems(words: tuple[str, ...]) -> list[str]:
    said = "voxgate " + " ".join(words)
    plain = tuple(word for word in words if not word.startswith("-"))
    command = _command(plain)
    if command is None:
        return [] if _is_group(plain) else [said]
    options = [word.partition("=")[0] for word in words if word.startswith("-")]
    return [f"{said}: {each}" for each in options if each not in command.options]


def _is_group(plain: tuple[str, ...]) -> bool:
    """`voxgate export`, or the same with METHOD or ... in place of a word."""
    named = tuple(takewhile(lambda word: not (word.isupper() or word == "..."), plain))
    return named in GROUPS


def _command(plain: tuple[str, ...]) -> Command | None:
    found = [EVERY[plain[:length]] for length in (1, 2) if plain[:length] in EVERY]
    return found[0] if found else None


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_page_orders_a_fault_that_the_virtual_line_does_not_know(page: Path) -> None:
    for words in shown_commands(page):
        for option, value in pairwise(words):
            if option == "--fault":
                fault_from_text(value)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_link_leads_nowhere(page: Path) -> None:
    lost = [target for target in links(page) if not _leads_somewhere(page, target)]
    assert not lost, f"{name_of(page)}: {lost}"


def _leads_somewhere(page: Path, target: str) -> bool:
    path, _, anchor = target.partition("#")
    there = (page.parent / path).resolve() if path else page
    if not there.exists() or not there.is_relative_to(ROOT):
        return False
    return not anchor or anchor in anchors(there)


@pytest.mark.parametrize("page", list(pages()), ids=name_of)
def test_no_page_is_older_than_the_code_it_describes(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert fresh(text) == text, "type: .venv/bin/python -m docs.generate"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_page_has_a_cell_written_that_the_box_would_refuse(page: Path, tmp_path: Path) -> None:
    for number, block in enumerate(block for block in blocks(page) if block.title):
        file = tmp_path / f"{number}.yaml"
        file.write_text(block.text, encoding="utf-8")
        problems = [each for each in check_config(file) if not MADE_LATER.search(each)]
        assert not problems, problems


def test_the_readme_stays_a_page_that_somebody_reads_to_its_end() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= README_LINES


def test_no_page_lies_in_the_folder_that_nobody_is_led_to() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    beyond = [name_of(page) for page in PAGES if page.is_relative_to(ROOT / "docs")]
    assert [each for each in beyond if each.removeprefix("docs/") not in navigation] == []


def test_every_page_is_looked_through() -> None:
    """The tests above see commands and links at all."""
    assert sum(len(list(shown_commands(page))) for page in PAGES) > 100
    assert sum(len(list(links(page))) for page in PAGES) > 100
    assert "voxgate calib handeye" in shell(ROOT / "docs/how-to/calibrate.md")
    assert [
        block.title for block in blocks(ROOT / "docs/tutorials/first-verdict.md") if block.title
    ]
