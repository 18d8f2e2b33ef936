"""The commands that ask how good a recipe is; light modules, the work is imported when run."""

from __future__ import annotations

from collections.abc import Callable

from voxgate.export.commands.combine import combine
from voxgate.export.commands.convert import convert
from voxgate.export.commands.evaluate import evaluate
from voxgate.export.commands.review import review
from voxgate.export.commands.scorer import scorer
from voxgate.export.commands.threshold import threshold

QUALITY_COMMANDS: dict[str, Callable[..., None]] = {
    "combine": combine,
    "threshold": threshold,
    "scorer": scorer,
    "evaluate": evaluate,
    "review": review,
    "convert": convert,
}
