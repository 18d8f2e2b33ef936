"""Somebody who follows a page word for word: writes its files, types its commands, uses his hands.

A page marks what hands do by `<!-- by hand: WHAT -->`; a test gives a function for each WHAT.
"""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.kits.pages import FENCED

HAND = re.compile(r"^<!-- by hand: (?P<what>.+) -->$", re.MULTILINE)
NOT_OURS = ("make ", "sudo ", "sudoedit ", "source ")
"""Lines for another machine, or for what a test's environment has done already."""
TIMEOUT_S = 800
LOOK_S = 0.2  # whether the shell has ended


@dataclass(frozen=True, slots=True)
class Step:
    """What comes next on the page: kind is sh, yaml or hand; text: commands, file, or what."""

    kind: str
    text: str
    title: str = ""


def steps(page: str) -> Iterator[Step]:
    """The page's steps, in its order."""
    for found in sorted(
        [*FENCED.finditer(page), *HAND.finditer(page)], key=lambda each: each.start()
    ):
        if found.re is HAND:
            yield Step("hand", found["what"])
        elif found["language"] == "sh":
            yield Step("sh", _typed(found["text"]))
        elif found["title"]:
            yield Step("yaml", found["text"], found["title"])


def follow(page: str, folder: Path, hands: Mapping[str, Callable[[], None]]) -> str:
    """Follow the page from `folder` in one shell; what the shell said.

    AssertionError with that for a command that fails, or for a step that no hand does.
    """
    told, done = os.pipe(), os.pipe()
    with (folder / "said.txt").open("wb") as heard:
        shell = subprocess.Popen(
            ["bash", "-e", "-c", _script(page, told[1], done[0])],
            cwd=folder,
            env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
            stdout=heard,
            stderr=subprocess.STDOUT,
            pass_fds=(told[1], done[0]),
            start_new_session=True,
        )
    os.close(told[1])
    os.close(done[0])
    try:
        _lend_hands(shell, told[0], done[1], hands)
    finally:
        _end(shell)
        os.close(told[0])
        os.close(done[1])
    said = (folder / "said.txt").read_text(encoding="utf-8", errors="replace")
    assert shell.returncode == 0, said[-8000:]
    return said


def _lend_hands(
    shell: subprocess.Popen[bytes], told: int, done: int, hands: Mapping[str, Callable[[], None]]
) -> None:
    """Until the shell has ended; what it left running may hold the pipe open for longer."""
    deadline_s = time.monotonic() + TIMEOUT_S
    while shell.poll() is None:
        assert time.monotonic() < deadline_s, f"the page takes more than {TIMEOUT_S} s"
        if select.select([told], [], [], LOOK_S)[0] and (asked := os.read(told, 4096)):
            hands[asked.decode().strip()]()
            os.write(done, b"done\n")


def _script(page: str, tell: int, done: int) -> str:
    """One shell program; with echo on, so that it says which line failed."""
    parts = ["set -x"]
    for step in steps(page):
        if step.kind == "sh":
            parts.append(step.text)
        elif step.kind == "yaml":
            parts.append(f"cat > {step.title} <<'END OF FILE'\n{step.text}END OF FILE")
        else:
            parts.append(f"echo '{step.text}' >&{tell}; read -r _ <&{done}")
    return "\n".join(parts)


def _typed(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith(NOT_OURS))


def _end(shell: subprocess.Popen[bytes]) -> None:
    """Whatever the page started and did not end."""
    with suppress(ProcessLookupError):
        os.killpg(shell.pid, 9)
    shell.wait(10)
