"""Another program's words on one line."""

from __future__ import annotations

from voxgate.runtime.common.text import MOST_CHARACTERS, one_line


def test_an_error_without_words_is_told_as_nothing() -> None:
    assert one_line(ValueError()) == "ValueError"
    assert one_line("") == ""


def test_a_library_fills_the_log_with_its_trace() -> None:
    assert one_line(ValueError("first\n  second\t third ")) == "first second third"
    assert len(one_line("x" * 10_000)) == MOST_CHARACTERS
    assert len(one_line("x" * 10_000, most=None)) == 10_000
