"""The nearest row's distance, up to rows that FP16 cannot tell apart."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from voxgate.export.features.bank_score import BankScore, published_score
from voxgate.export.features.nearest import Nearest, Reweight, nearest_rows

Bank = npt.NDArray[np.float32]


def exact(queries: Bank, bank: Bank) -> npt.NDArray[np.float64]:
    found: npt.NDArray[np.float64] = (
        torch.cdist(torch.from_numpy(queries).double(), torch.from_numpy(bank).double())
        .min(dim=1)
        .values.numpy()
    )
    return found


@settings(max_examples=30, deadline=None)
@given(
    rows=st.integers(1, 700),
    features=st.integers(1, 80),
    scale=st.sampled_from([1e-3, 1.0, 300.0]),
    seed=st.integers(0, 99),
)
def test_the_distance_is_the_nearest_rows(
    rows: int, features: int, scale: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    bank = (scale * np.abs(rng.standard_normal((rows, features)))).astype(np.float32)
    queries = (scale * np.abs(rng.standard_normal((40, features)))).astype(np.float32)
    queries[:5] = bank[rng.integers(rows, size=5)]
    found = Nearest(bank)(torch.from_numpy(queries)).numpy()[:, 0]
    want = exact(queries, bank)
    equally_near = np.abs(bank - bank.mean(axis=0)).max() * 2.0**-12  # half a step of FP16
    assert np.abs(found - want).max() <= 1e-4 * want.max() + equally_near


@settings(max_examples=15, deadline=None)
@given(rows=st.integers(5, 700), count=st.integers(2, 5), seed=st.integers(0, 99))
def test_the_few_nearest_are_others(rows: int, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    bank, queries = (rng.standard_normal((n, 40)).astype(np.float32) for n in (rows, 30))
    found = Nearest(bank).few(torch.from_numpy(queries), count).sqrt().numpy()
    apart = torch.cdist(torch.from_numpy(queries).double(), torch.from_numpy(bank).double())
    assert np.abs(found - apart.sort(dim=1).values[:, :count].numpy()).max() < 1e-3


def test_tf32_products_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    bank = np.abs(rng.standard_normal((900, 300))).astype(np.float32)
    queries = torch.from_numpy(bank[:200] + 0.02 * rng.standard_normal((200, 300), np.float32))
    nearest = Nearest(bank)
    want = nearest(queries)
    product = torch.matmul

    def as_tf32(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return product(_ten_bits(a), _ten_bits(b))

    monkeypatch.setattr(torch, "matmul", as_tf32)
    assert torch.equal(nearest(queries), want)


def _ten_bits(x: torch.Tensor) -> torch.Tensor:
    """Rounded to the 10 bits of mantissa that TF32 keeps."""
    bits = x.contiguous().view(torch.int32)
    return ((bits + (1 << 12)) & ~((1 << 13) - 1)).view(torch.float32)


def test_the_weight_is_equation_7_without_the_nearest_row_itself() -> None:
    bank = np.array([[0, 0], [1, 0], [0, 2], [9, 9]], np.float32)
    patches = np.array([[-3, 0], [0, 0.5]], np.float32)  # the first is farthest, 3 from row 0
    weigh = Reweight(nearest := Nearest(bank), 3)
    queries = torch.from_numpy(patches)
    rows = nearest.index(queries)
    found = float(weigh(queries, rows, nearest.distance(queries, rows)))
    root = 2**0.5
    others = np.exp(4 / root) + np.exp(np.hypot(3, 2) / root)  # rows 1 and 2 are next to row 0
    assert found == pytest.approx(1 - np.exp(3 / root) / others, rel=1e-5)
    score = BankScore(bank, (1, 2), 3)(queries).reshape(-1).numpy()
    assert score == pytest.approx([3 * found, 0.5 * found], rel=1e-5)
    published = published_score(queries.double(), bank, (1, 2), 3).reshape(-1).numpy()
    assert published == pytest.approx([3 * found, 0.5 * found], rel=1e-5)


def test_each_row_is_its_own_nearest() -> None:
    bank = np.random.default_rng(0).standard_normal((50, 8)).astype(np.float32)
    table = nearest_rows(bank, 3, block_rows=7)
    assert (table[:, 0] == np.arange(50)).all()
    apart = np.linalg.norm(bank[:, None] - bank[None], axis=2)
    assert (table == np.argsort(apart, axis=1)[:, :3]).all()
