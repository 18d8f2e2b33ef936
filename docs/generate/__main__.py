"""`python -m docs.generate`: write what the code says into the pages.

A page marks the place with `<!-- from the code: NAME -->` and `<!-- end -->`; what stands between
is replaced, the rest of the page is a person's.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from docs.generate import cli, configuration, files, limits, messages, metrics, reasons, rooms
from docs.generate.json_schema import ROOT

BLOCKS: Mapping[str, Callable[[], str]] = {
    "cli": cli.cli,
    "configuration": configuration.configuration,
    "messages": messages.messages,
    "reasons": reasons.reasons,
    "refusals": reasons.refusals,
    "series": metrics.series,
    "alerts": metrics.alerts,
    "manifest": files.manifest,
    "topics": files.topics,
    "calibration_limits": limits.calibration_limits,
    "line_faults": limits.line_faults,
    "floors": rooms.floors,
    "rooms": rooms.rooms,
}
MARKED = re.compile(
    r"(?P<mark><!-- from the code: (?P<name>\w+) -->\n).*?(?P<end><!-- end -->)", re.DOTALL
)


def pages() -> Iterator[Path]:
    """Every page with a marked place."""
    for page in sorted((ROOT / "docs").rglob("*.md")):
        if MARKED.search(page.read_text(encoding="utf-8")):
            yield page


def fresh(page: str) -> str:
    """The page's text with what the code says now. Raises KeyError for an unknown mark."""

    def said(found: re.Match[str]) -> str:
        return f"{found['mark']}\n{BLOCKS[found['name']]().strip()}\n\n{found['end']}"

    return MARKED.sub(said, page)


def main() -> None:
    """Write every page whose text has changed, and name it."""
    for page in pages():
        before = page.read_text(encoding="utf-8")
        after = fresh(before)
        if after != before:
            page.write_text(after, encoding="utf-8")
            sys.stdout.write(f"{page.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
