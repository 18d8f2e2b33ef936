"""What the protocol's page shows is what stands on the wire, and its ten lines open a box."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kits.pages import blocks
from tests.kits.ports import with_free_ports
from tests.kits.repository import ROOT
from voxgate.runtime.cameras.network import header_from_bytes
from voxgate.runtime.common.access import Access
from voxgate.runtime.config.sections import Sockets
from voxgate.runtime.wire.commands import parse_command
from voxgate.runtime.wire.keys import make_key_pair
from voxgate.runtime.wire.poses import parse_pose
from voxgate.runtime.wire.published import HeartbeatMessage
from voxgate.runtime.wire.replies import RefusalCode, parse_reply
from voxgate.runtime.wire.sockets import CellSockets

PAGE = ROOT / "docs/reference/protocol.md"
SHOWN = [block.text for block in blocks(PAGE) if block.language == "json"]
READERS: dict[str, Callable[[bytes], Any]] = {
    "reply": parse_reply,
    "command": parse_command,
    "p_mm": parse_pose,
    "heartbeat_ms": HeartbeatMessage.model_validate_json,
    "encoding": header_from_bytes,
}
"""By a key that only messages of one kind have; replies also tell their command."""


def test_the_page_shows_no_message_of_a_kind() -> None:
    assert {next(key for key in READERS if key in json.loads(text)) for text in SHOWN} == {*READERS}


@pytest.mark.parametrize("text", SHOWN)
def test_the_page_shows_a_message_that_is_none(text: str) -> None:
    given = json.loads(text)
    read = READERS[next(key for key in READERS if key in given)](text.encode())
    assert read is not None


def test_a_refusal_has_no_row_on_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [code for code in RefusalCode if f"| `{code.value}` |" not in page] == []


@pytest.fixture
def asked(folder: Path) -> Iterator[str]:
    """A guarded box on the page's command port; what must be put in place of the page's words."""
    _, own = make_key_pair(folder, "robot")
    _, box = make_key_pair(folder, "box")
    listed = frozenset({own.public.decode()})
    names = ("poses", "verdicts")
    code = with_free_ports(next(b.text for b in blocks(PAGE) if b.language == "python"))
    port = code.partition("192.168.10.5:")[2].partition('"')[0]
    endpoints = {name: f"ipc://{folder}/{name}" for name in names}
    endpoints["commands"] = f"tcp://127.0.0.1:{port}"
    access = Access(folder / "box.key_secret", {"commands": listed})
    sockets = CellSockets(Sockets.model_validate(endpoints), access)
    over = threading.Event()

    def answer() -> None:
        while not over.is_set():
            if sockets.commands.poll(50):
                for request in sockets.take_requests():
                    sockets.reply(request.envelope, b'{"state": "heard"}')

    box_thread = threading.Thread(target=answer)
    box_thread.start()
    yield code.replace("192.168.10.5", "127.0.0.1").replace("40 characters", box.public.decode())
    over.set()
    box_thread.join()
    sockets.close()


def test_the_ten_lines_open_no_box(asked: str, folder: Path) -> None:
    assert len([line for line in asked.splitlines() if line]) <= 10
    done = subprocess.run(
        [sys.executable, "-c", asked], cwd=folder, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "{'state': 'heard'}"
