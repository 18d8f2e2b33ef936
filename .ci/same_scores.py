"""Do two processors judge the example alike? `python same_scores.py HERE THERE`, of .ci/scores.

Verdicts and defects must be the same; by how much their numbers differ is said, and may be as much
as rounding in another order makes of them.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

MOST = 1e-4  # of a number


def apart(here: str, there: str) -> float:
    """The largest relative difference of two lines' numbers; infinite where their words differ."""
    words, others = here.split(), there.split()
    if len(words) != len(others) or words[:3] != others[:3]:
        return math.inf
    pairs = [(float(a), float(b)) for a, b in zip(words[3:], others[3:], strict=True)]
    return max(abs(a - b) / max(abs(a), abs(b), 1e-9) for a, b in pairs)


def worst(here: list[str], there: list[str]) -> float:
    """Of all lines."""
    if not here or len(here) != len(there):
        return math.inf
    return max(apart(a, b) for a, b in zip(here, there, strict=True))


if __name__ == "__main__":
    here, there = (Path(name).read_text(encoding="utf-8").splitlines() for name in sys.argv[1:])
    found = worst(here, there)
    said = "to the bit" if here == there else f"numbers apart by {found:.1e} of themselves"
    sys.stdout.write("\n".join([*here, *there, f"the same verdicts, {said}"]) + "\n")
    sys.exit(0 if found <= MOST else 1)
