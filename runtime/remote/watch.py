"""A cell live: what it does above its last verdicts; where nobody looks, a line for a change."""

from __future__ import annotations

import time
from collections import deque
from itertools import islice

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from voxgate.runtime.config.sections import CellConfig
from voxgate.runtime.errors import ServiceError
from voxgate.runtime.nouns import Outcome
from voxgate.runtime.remote.client import Client, Said
from voxgate.runtime.remote.figures import figures
from voxgate.runtime.remote.rows import HEADINGS, Row, beat_line, camera_line, verdict_row
from voxgate.runtime.wire.verdict import VerdictMessage

LAST = 15  # verdicts that are shown
CLOCKS_S = 2.0
CLOCK = "clock_residual_seconds"
SILENT = "silent, or not understood: is it served, by this version?"
COLOURS = {Outcome.PASS: "bold green", Outcome.FAIL: "bold red", Outcome.INDETERMINATE: "yellow"}


class View:
    """What was heard so far."""

    def __init__(self, cell: str) -> None:
        self._cell = cell
        self._cameras = ""
        self.line = "waiting for its heartbeat"
        self.clocks = ""
        self.rows: deque[Row] = deque(maxlen=LAST)

    def hear(self, said: Said | None) -> str | None:
        """A line that says what is new, None when nothing is."""
        if isinstance(said, VerdictMessage):
            self.rows.appendleft(row := verdict_row(said))
            return "  ".join(word for word in row if word)
        line = SILENT if said is None else beat_line(said)
        self._cameras = "" if said is None else camera_line(said)
        if line == self.line:
            return None
        self.line = line
        return line

    def __rich__(self) -> Group:
        table = Table(box=None, pad_edge=False)
        for heading in HEADINGS:
            table.add_column(heading, no_wrap=heading != HEADINGS[-1])
        for row in self.rows:
            table.add_row(*row, style=COLOURS[Outcome(row[HEADINGS.index("outcome")])])
        told = (f"{self._cell}: {self.line}", self._cameras, self.clocks)
        return Group(*(Text(line) for line in told if line), table)


def follow(client: Client, cell: CellConfig, console: Console, most: int | None = None) -> None:
    """Until it is interrupted, or `most` messages have come."""
    view = View(cell.cell)
    heard = islice(client.listen(), most)
    if not console.is_terminal:
        for said in heard:
            line = view.hear(said)
            if line is not None:
                console.print(line, markup=False, highlight=False, soft_wrap=True)
        return
    due_s = 0.0
    with Live(view, console=console, auto_refresh=False) as live:
        for said in heard:
            is_due = time.monotonic() >= due_s
            if is_due:
                due_s = time.monotonic() + CLOCKS_S
                view.clocks = clocks_of(cell)
            if view.hear(said) is not None or is_due:
                live.refresh()


def clocks_of(cell: CellConfig) -> str:
    """How well each clock is known, as the service tells Prometheus; "" where it does not."""
    try:
        told = figures(cell.metrics)
    except ServiceError:
        return ""
    known = {each.of: 1e3 * each.value for each in told if each.name == CLOCK}
    said = ", ".join(f"{name} to {value_ms:.2f} ms" for name, value_ms in known.items())
    return f"clocks: {said}" if said else "clocks: not known yet"
