"""A data set through its recipes: what is known is not done again, what is done is kept at once.

open the layout -> recipe per part -> tasks without a record -> records as they come -> figures
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from voxgate import __version__
from voxgate.export.evaluation.cases import Dataset
from voxgate.export.evaluation.layouts.open_dataset import open_dataset
from voxgate.export.evaluation.records import CaseRecord, Store, case_key, stamp
from voxgate.export.evaluation.run.figures import TypeFigures, figures_of
from voxgate.export.evaluation.run.recipes import holds_recipes, recipes_in
from voxgate.export.evaluation.run.work import (
    Answer,
    Task,
    done_by_dask,
    done_by_processes,
    done_here,
)
from voxgate.runtime.config.settings import DEFAULTS, Settings
from voxgate.runtime.errors import ScanError
from voxgate.runtime.recipe.folder import sha256
from voxgate.runtime.recipe.manifest import Manifest

OnProgress = Callable[[int, int, str], None]
SCORES = "scores"  # in place of a recipe's digest


@dataclass(frozen=True, slots=True)
class Plan:
    """What to evaluate and how. source: a recipe, a folder of recipes or of scores. golden: the
    recipe's golden scan, by which pictures without a pose are located."""

    source: Path
    folder: Path
    store: Path
    layout: str | None = None
    parts: tuple[str, ...] = ()  # only these; () for all
    jobs: int = 1
    cluster: str | None = None
    rules: bool = True
    settings: Settings = field(default_factory=lambda: DEFAULTS)
    golden: Path | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Every figure, and what could not be evaluated, one line each. methods: part -> its recipe's,
    of all its models; {} for scores made elsewhere."""

    dataset: Dataset
    source: str
    store: Store
    records: tuple[CaseRecord, ...]
    types: tuple[TypeFigures, ...]
    failed: tuple[str, ...]
    skipped: tuple[str, ...]
    reused: int
    methods: Mapping[str, str] = field(default_factory=dict)


def evaluate(plan: Plan, on_progress: OnProgress = lambda done, of, what: None) -> Evaluation:
    """Raises VoxGateError for a folder or recipe that cannot be used at all."""
    dataset = open_dataset(plan.folder, plan.layout)
    sources, skipped = _sources(plan, dataset)
    store = Store(plan.store)
    tasks, records = _open_tasks(plan, dataset, sources, store)
    reused, total = len(records), len(records) + len(tasks) + len(dataset.broken)
    failed = list(dataset.broken)
    on_progress(reused, total, "")
    for answer in _answers(plan, tasks):
        if answer.record is None:
            failed.append(f"{answer.name}: {answer.problem}")
        else:
            store.put(answer.record, answer.arrays or {})
            records.append(answer.record)
        on_progress(len(records) + len(failed), total, answer.name)
    if not records:
        raise ScanError(f"{plan.folder}: no case could be evaluated: {'; '.join(failed[:3])}")
    records.sort(key=lambda record: record.name)
    return Evaluation(
        dataset=dataset,
        source=str(plan.source),
        store=store,
        records=tuple(records),
        types=tuple(
            figures_of([record for record in records if record.part == part], store)
            for part in dict.fromkeys(record.part for record in records)
        ),
        failed=tuple(failed),
        skipped=(*dataset.missing, *skipped),
        reused=reused,
        methods={part: _methods(path) for part, (path, made) in sources.items() if made != SCORES},
    )


def _sources(plan: Plan, dataset: Dataset) -> tuple[dict[str, tuple[Path, str]], list[str]]:
    """Part -> (recipe or folder of scores, what it is made of), and the parts without one."""
    wanted = [part for part in dataset.parts if not plan.parts or part in plan.parts]
    if unknown := set(plan.parts) - set(dataset.parts):
        raise ScanError(f"{plan.folder}: no part {sorted(unknown)}, it has {list(dataset.parts)}")
    if not plan.source.is_dir():
        raise ScanError(f"{plan.source}: no such folder; name a recipe or a folder of scores")
    if not holds_recipes(plan.source):
        return {part: (plan.source, SCORES) for part in wanted}, []
    shelf = recipes_in(plan.source)
    if len(shelf) == len(plan.parts) == 1:
        shelf = {plan.parts[0]: next(iter(shelf.values()))}  # whatever the recipe calls it
    if len(shelf) == 1 and dataset.kind == "scene":
        shelf = dict.fromkeys(wanted, next(iter(shelf.values())))  # their parts are the splits
    known = {part: (shelf[part], _digest(shelf[part])) for part in wanted if part in shelf}
    if not known:
        raise ScanError(
            f"{plan.source}: recipes for {sorted(shelf)}, but the scans are {wanted}: name the "
            "one that a recipe is for with --part"
        )
    return known, [
        f"{part}: no recipe for it in {plan.source}" for part in wanted if part not in shelf
    ]


def _open_tasks(
    plan: Plan, dataset: Dataset, sources: dict[str, tuple[Path, str]], store: Store
) -> tuple[list[Task], list[CaseRecord]]:
    """What is still to do, and what is done already."""
    tasks: list[Task] = []
    records: list[CaseRecord] = []
    for index, case in enumerate(dataset.cases):
        if case.part not in sources:
            continue
        source, digest = sources[case.part]
        limits = plan.settings.limits
        scores = (
            stamp(source / f"{case.name}.npz")
            if digest == SCORES and (source / f"{case.name}.npz").exists()
            else ""
        )
        key = case_key(
            __version__,
            digest,
            scores,
            stamp(case.source),
            limits,
            plan.settings.backend,
            plan.rules if plan.golden is None else f"{plan.rules} {stamp(plan.golden)}",
        )
        if found := store.find(case.name, key):
            records.append(found)
            continue
        tasks.append(
            Task(
                dataset=str(plan.folder),
                layout=dataset.layout,
                case=index,
                source=str(source),
                is_recipe=digest != SCORES,
                settings=plan.settings,
                rules=plan.rules,
                key=key,
                golden=None if plan.golden is None else str(plan.golden),
            )
        )
    return tasks, records


def _answers(plan: Plan, tasks: Sequence[Task]) -> Iterator[Answer]:
    if plan.cluster is not None:
        return done_by_dask(tasks, plan.cluster)
    if plan.jobs > 1 and len(tasks) > 1:
        return done_by_processes(tasks, min(plan.jobs, len(tasks)))
    return done_here(tasks)


def _digest(recipe: Path) -> str:
    return sha256((recipe / "manifest.json").read_bytes())


def _methods(recipe: Path) -> str:
    return Manifest.model_validate_json((recipe / "manifest.json").read_bytes()).methods
