"""Many cases on many cores: in this process, in processes of this machine, or on a Dask cluster.

A task is plain values, so that it travels; its answer is the record and the arrays, so that workers
need no common disk for results. They do need the scans and the recipes under the same paths.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy.typing as npt

from voxgate.export.evaluation.cases import Dataset
from voxgate.export.evaluation.judges.judge import Judge, judge_for
from voxgate.export.evaluation.layouts.open_dataset import open_dataset
from voxgate.export.evaluation.records import CaseRecord
from voxgate.runtime.common.text import one_line
from voxgate.runtime.config.settings import Settings
from voxgate.runtime.errors import EngineError, VoxGateError
from voxgate.runtime.recipe.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Task:
    """One case by one recipe (or folder of scores)."""

    dataset: str
    layout: str
    case: int
    source: str
    is_recipe: bool
    settings: Settings
    rules: bool
    key: str
    golden: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What became of a task; problem: one line when it has no record."""

    name: str
    record: CaseRecord | None = None
    arrays: dict[str, npt.NDArray[Any]] | None = None
    problem: str | None = None


def do(task: Task) -> Answer:
    """Judge one case; what is wrong with the case is an answer, not an error."""
    dataset = _dataset(task.dataset, task.layout)
    case = dataset.cases[task.case]
    try:
        record, arrays = _judge(task).judge(case, task.key)
    except VoxGateError as error:
        return Answer(case.name, problem=one_line(error, most=None))
    except Exception as error:  # noqa: BLE001  files fail in ways of their own; the others go on
        said = one_line(error, most=None)
        kind = type(error).__name__
        return Answer(case.name, problem=said if said == kind else f"{kind}: {said}")
    return Answer(case.name, record, dict(arrays))


def done_here(tasks: Sequence[Task]) -> Iterator[Answer]:
    """One after the other, in this process."""
    yield from map(do, tasks)
    _close_judge()


def done_by_processes(tasks: Sequence[Task], jobs: int) -> Iterator[Answer]:
    """In `jobs` processes of one thread each, as they finish."""
    single = [replace(task, settings=replace(task.settings, threads=1)) for task in tasks]
    context = multiprocessing.get_context("spawn")  # numba and onnxruntime hold threads
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        for finished in as_completed([pool.submit(do, task) for task in single]):
            yield finished.result()


def done_by_dask(tasks: Sequence[Task], address: str) -> Iterator[Answer]:
    """On the workers of a running Dask scheduler, as they finish. Raises EngineError."""
    try:
        from distributed import Client
        from distributed import as_completed as done
    except ImportError as error:
        raise EngineError(f"{error}; type: pip install 'voxgate[cluster]'") from error
    single = [replace(task, settings=replace(task.settings, threads=1)) for task in tasks]
    try:
        client = Client(address, timeout="5s")
    except (OSError, ValueError) as error:
        raise EngineError(f"no Dask scheduler at {address}: {error}") from error
    with client:
        for finished in done(client.map(do, single, pure=False)):
            yield finished.result()
            finished.release()


# --- kept from case to case by a worker ---------------------------------------------------------


@lru_cache(maxsize=4)
def _dataset(folder: str, layout: str) -> Dataset:
    return open_dataset(Path(folder), layout)


_OPEN: dict[tuple[str, str, bool], Judge] = {}


def _judge(task: Task) -> Judge:
    """The judge of this recipe; a worker keeps one open, for its engine takes seconds to prove."""
    key = (task.source, repr((task.settings, task.golden)), task.rules)
    if key not in _OPEN:
        _close_judge()
        source: Recipe | Path = (
            Recipe.load(Path(task.source)) if task.is_recipe else Path(task.source)
        )
        dataset = _dataset(task.dataset, task.layout)
        golden = None if task.golden is None else Path(task.golden)
        _OPEN[key] = judge_for(dataset, source, task.settings, rules=task.rules, golden=golden)
    return _OPEN[key]


def _close_judge() -> None:
    for judge in _OPEN.values():
        judge.close()
    _OPEN.clear()
