"""The same evaluation on a Dask cluster of two workers: the same numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.kits.layouts_kit import write_mvtec3d
from voxgate.export.evaluation.layouts.open_dataset import open_dataset
from voxgate.export.evaluation.run.evaluate import Plan, evaluate
from voxgate.runtime.errors import EngineError

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


@pytest.fixture
def scores(tmp_path: Path) -> tuple[Path, Path]:
    """A data set and random maps for it."""
    folder = write_mvtec3d(tmp_path / "mvtec")
    rng = np.random.default_rng(0)
    for case in open_dataset(folder).cases:
        path = tmp_path / "scores" / f"{case.name}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, map=rng.random((24, 32)).astype(np.float32))
    return folder, tmp_path / "scores"


@pytest.mark.slow
@pytest.mark.parametrize("processes", [False, pytest.param(True, marks=pytest.mark.nightly)])
def test_two_workers_give_the_same_numbers(
    scores: tuple[Path, Path], tmp_path: Path, processes: bool
) -> None:
    """In threads of this process what they are sent is packed and unpacked likewise, over TCP."""
    from distributed import LocalCluster

    folder, source = scores
    here = evaluate(Plan(source=source, folder=folder, store=tmp_path / "here"))
    with LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=processes,
        protocol="tcp",
        dashboard_address=None,
    ) as cluster:
        address = cluster.scheduler_address
        there = evaluate(
            Plan(source=source, folder=folder, store=tmp_path / "there", cluster=address)
        )
    assert there.types[0].figures == here.types[0].figures
    assert [r.score for r in there.records] == [r.score for r in here.records]


@pytest.mark.slow
def test_a_scheduler_that_is_not_there_is_named(scores: tuple[Path, Path], tmp_path: Path) -> None:
    folder, source = scores
    plan = Plan(source=source, folder=folder, store=tmp_path / "s", cluster="tcp://127.0.0.1:9")
    with pytest.raises(EngineError, match="no Dask scheduler"):
        evaluate(plan)
