"""How much a peer may send: a stall is no flood, and a flood is none only for a moment."""

from __future__ import annotations

import pytest

from voxgate.runtime.wire.door.allowance import ALLOWANCES, Allowance, Budget

MS = 1_000_000
KIB = 1024


def spent(allowance: Allowance, per_look: int, looks: int, look_ms: int = 50) -> bool:
    """Whether so many bytes at each look are enough for nobody."""
    budget = Budget(allowance, 0)
    return all(budget.spend(per_look, at * look_ms * MS) for at in range(1, looks + 1))


def test_a_robot_at_1_khz_may_send_for_ever() -> None:
    assert spent(ALLOWANCES["poses"], 270 * 50, 20_000)


def test_what_came_while_this_process_stood_still_is_no_flood() -> None:
    budget = Budget(ALLOWANCES["poses"], 0)
    assert budget.spend(270_000 * 30, 30_000 * MS)  # seen at once, sent in 30 s
    assert budget.spend(270 * 50, 30_050 * MS)


def test_a_queue_that_the_network_held_back_for_three_seconds_is_no_flood() -> None:
    budget = Budget(ALLOWANCES["poses"], 0)
    assert budget.spend(0, 3_000 * MS)
    assert budget.spend(270_000 * 3, 3_001 * MS)


@pytest.mark.parametrize("role", ALLOWANCES)
def test_ten_times_the_rate_is_a_flood_within_seconds(role: str) -> None:
    allowance = next(each for name, each in ALLOWANCES.items() if name == role)
    assert not spent(allowance, allowance.bytes_per_s // 2, 200)


def test_what_is_saved_up_is_no_more_than_what_may_come_at_once() -> None:
    budget = Budget(Allowance(64 * KIB, 4 * KIB), 0)
    assert budget.spend(0, 3_600_000 * MS)
    assert not budget.spend(80 * KIB, 3_600_050 * MS)


def test_a_whole_message_fills_the_budget_again() -> None:
    budget = Budget(Allowance(64 * KIB, 0), 0)
    for at in range(100):
        assert budget.spend(60 * KIB, at * MS)
        budget.refill()
    assert not budget.spend(65 * KIB, 200 * MS)
