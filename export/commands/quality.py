"""The commands that ask how good a recipe is; light modules, the work is imported when run."""

from __future__ import annotations

from collections.abc import Callable

from export.commands.combine import combine
from export.commands.convert import convert
from export.commands.evaluate import evaluate
from export.commands.review import review
from export.commands.scorer import scorer
from export.commands.threshold import threshold

QUALITY_COMMANDS: dict[str, Callable[..., None]] = {
    "combine": combine,
    "threshold": threshold,
    "scorer": scorer,
    "evaluate": evaluate,
    "review": review,
    "convert": convert,
}
