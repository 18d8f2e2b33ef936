"""Stored scans by several recipes side by side: an escape's question, and a threshold's price."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from voxgate.runtime.config.settings import DEFAULTS, Settings
from voxgate.runtime.errors import RecipeError, ScanError
from voxgate.runtime.inspection.several.inspector import AnyInspector, open_inspector
from voxgate.runtime.nouns import Outcome
from voxgate.runtime.offline.inspect_scan import inspect_scan
from voxgate.runtime.recipe.recipe import Recipe
from voxgate.runtime.records.evidence_folder import COLON, NAME
from voxgate.runtime.remote.marks import Mark, marks_in
from voxgate.runtime.scans.cell_scan import names_of
from voxgate.runtime.scans.open_scan import open_part_scan
from voxgate.runtime.scans.part_files import CAMERAS

FRAMES = "frames.jsonl"
DEPTH = ("", "*/", "*/*/", "*/*/*/", "*/*/*/*/")  # a camera's lie two deeper than the cell's
OnProgress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Said:
    """What one recipe says of one scan. score: None where nothing was scored."""

    outcome: str
    score: float | None
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One scan by all recipes, in the order given. good: what the part was; None: nobody says."""

    scan: str
    good: bool | None
    said: tuple[Said, ...]

    @property
    def same(self) -> bool:
        """Whether all recipes come to one outcome."""
        return len({said.outcome for said in self.said}) == 1


@dataclass(frozen=True, slots=True)
class Cost:
    """A candidate against the first recipe, over the whole archive.

    A part of which nobody says what it was counts as good when the first recipe passed it, as bad
    when it failed it.
    """

    label: str
    newly_failed: int
    newly_passed: int
    other: int
    good: int
    false_rejects: int
    false_rejects_before: int
    bad: int
    escapes: int
    escapes_before: int


@dataclass(frozen=True, slots=True)
class Review:
    """labelled: whether somebody said which parts were good."""

    labels: tuple[str, ...]
    rows: tuple[Row, ...]
    costs: tuple[Cost, ...]
    labelled: bool

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "recipes": list(self.labels),
            "scans": [asdict(row) | {"same": row.same} for row in self.rows],
            "costs": [asdict(cost) for cost in self.costs],
            "labelled": self.labelled,
        }


def review_archive(
    places: Sequence[Path],
    recipes: Sequence[Path],
    good: Path | None = None,
    on_progress: OnProgress = lambda done, of, what: None,
    settings: Settings = DEFAULTS,
    marks: Path | None = None,
) -> Review:
    """Every scan by every recipe; one engine is open at a time. Raises VoxGateError.

    marks: what people said of verdicts on the page; it counts more than the list.
    """
    scans = [scan for place in places for scan in scans_in(place)]
    was_good = Known(_listed(good), {} if marks is None else marks_in(marks))
    loaded = [Recipe.load(recipe) for recipe in recipes]
    said: list[list[Said]] = []
    for number, recipe in enumerate(loaded):
        calibrations = open_part_scan(scans[0]).calibrations
        inspector = open_inspector(
            recipe, calibrations, settings.limits, settings.backend, settings.threads
        )
        with closing(inspector):
            column = []
            for scan in scans:
                column.append(_said(scan, inspector, settings))
                on_progress(number * len(scans) + len(column), len(loaded) * len(scans), scan.name)
            said.append(column)
    rows = tuple(
        Row(str(scan), was_good(scan), row)
        for scan, row in zip(scans, zip(*said, strict=True), strict=True)
    )
    names = tuple(f"{r.label} ({p.name})" for r, p in zip(loaded, recipes, strict=True))
    costs = tuple(_cost(names[at], rows, at) for at in range(1, len(names)))
    return Review(names, rows, costs, any(row.good is not None for row in rows))


def scans_in(place: Path) -> list[Path]:
    """The scans in a folder, .mcap files too, or the scan itself. Raises ScanError without one."""
    if place.is_file():
        return [place]
    found = {_scan_of(path) for depth in DEPTH for path in place.glob(f"{depth}{FRAMES}")}
    found |= {path for depth in DEPTH for path in place.glob(f"{depth}[!.]*.mcap")}
    if not found:
        raise ScanError(
            f"{place}: no {FRAMES} and no .mcap here or below, so there is no scan to review"
        )
    return sorted(found)


def _scan_of(frames: Path) -> Path:
    """The scan whose frames these are: of one of several cameras the cell's."""
    own = frames.parent
    whole = own.parent.parent
    return whole if own.parent.name == CAMERAS and names_of(whole) else own


def _said(folder: Path, inspector: AnyInspector, settings: Settings) -> Said:
    scan = open_part_scan(folder)
    inspector.recipe.check_cameras(scan.calibrations)
    verdict = inspect_scan(scan, inspector, max_gap_ns=settings.max_gap_ns)
    reasons = tuple(dict.fromkeys(note.reason.value for note in verdict.notes))
    return Said(verdict.outcome.value, verdict.score, reasons)


@dataclass(frozen=True, slots=True)
class Known:
    """Which parts were good. listed: None where no list was given."""

    listed: frozenset[str] | None
    marks: Mapping[str, Mark]

    def __call__(self, scan: Path) -> bool | None:
        named = NAME.fullmatch(scan.name)
        mark = None if named is None else self.marks.get(named["job"].replace(COLON, ":"))
        if mark is not None and mark.good is not None:
            return mark.good
        return None if self.listed is None else scan.name in self.listed


def called_good(places: Sequence[Path], marks: Path) -> list[Path]:
    """The recordings of parts that people called good on the page. Raises ScanError for none."""
    known = Known(None, marks_in(marks))
    found = [scan for place in places for scan in scans_in(place) if known(scan)]
    if not found:
        raise ScanError(f"{marks}: calls no part good that is recorded in {places[0]}")
    return found


def _listed(path: Path | None) -> frozenset[str] | None:
    """Names of the scans of good parts; one that is not listed was bad."""
    if path is None:
        return None
    try:
        names = [line.strip() for line in path.read_text("utf-8").splitlines() if line.strip()]
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read: {error.strerror}") from error
    return frozenset(Path(name).name for name in names)


def _cost(label: str, rows: Sequence[Row], at: int) -> Cost:
    passed, failed = Outcome.PASS.value, Outcome.FAIL.value
    before = [row.said[0].outcome for row in rows]
    after = [row.said[at].outcome for row in rows]
    was_good = [
        row.good if row.good is not None else outcome == passed
        for row, outcome in zip(rows, before, strict=True)
    ]
    was_bad = [
        not row.good if row.good is not None else outcome == failed
        for row, outcome in zip(rows, before, strict=True)
    ]
    changes = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
    return Cost(
        label=label,
        newly_failed=sum(b == failed for _, b in changes),
        newly_passed=sum(b == passed for _, b in changes),
        other=sum(b not in (passed, failed) for _, b in changes),
        good=sum(was_good),
        false_rejects=_count(after, was_good, lambda outcome: outcome != passed),
        false_rejects_before=_count(before, was_good, lambda outcome: outcome != passed),
        bad=sum(was_bad),
        escapes=_count(after, was_bad, lambda outcome: outcome == passed),
        escapes_before=_count(before, was_bad, lambda outcome: outcome == passed),
    )


def _count(outcomes: Sequence[str], chosen: Sequence[bool], test: Callable[[str], bool]) -> int:
    return sum(test(outcome) for outcome, is_one in zip(outcomes, chosen, strict=True) if is_one)
