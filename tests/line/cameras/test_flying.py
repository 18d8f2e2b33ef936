"""A robot that does not stop: no view may be further off than it claims, and too fast is refused.

The frames come from the virtual camera through the whole GenICam stack, in real time.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kits import virtual
from tests.kits.cell_kit import until
from tests.kits.needs import needs_c_compiler
from tests.kits.repository import ROOT
from voxgate.benchmarks.line.flying import refused_from_mm_s
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.sync.stamps import Stamps
from voxgate.sim.flying import Clocking, Flight, Shots, fly, shoot

pytestmark = needs_c_compiler
CALIBRATION = Calibration.load(ROOT / "examples" / "bracket" / "calibration.json")
FRAMES, SETTLED, PERIOD_NS = 130, 105, 28_000_000
LATE_NS = 200_000_000  # seven frames on
SPEED_MM_S = 250.0
LIMIT_MM = 1.0
NO_LIMIT_MM = 1e6


@pytest.fixture(scope="module")
def shots() -> dict[bool, Shots]:
    """By whether PTP is on."""
    return {ptp: _shot_in_time(ptp) for ptp in (False, True)}


def _shot_in_time(ptp: bool) -> Shots:
    """Again where the machine stood still: what then arrives too late is refused for that."""
    shot: list[Shots] = []

    def in_time() -> bool:
        serial = virtual.serial(f"fly{ptp}{len(shot)}")
        shot.append(shoot(Path(virtual.cti()), serial, FRAMES, PERIOD_NS, ptp=ptp))
        both = zip(shot[-1].frames, shot[-1].truths, strict=True)
        return all(frame.t_arrival_ns - truth.t_start_ns < LATE_NS for frame, truth in both)

    until(in_time, f"{FRAMES} frames that arrive in time")
    return shot[-1]


def _fly(
    shots: dict[bool, Shots], clocking: Clocking, speed_mm_s: float, limit_mm: float
) -> Flight:
    chosen = shots[clocking is Clocking.PTP]
    return fly(chosen, CALIBRATION, clocking, speed_mm_s, limit_mm, SETTLED)


@pytest.mark.parametrize("clocking", list(Clocking))
def test_a_moving_camera_is_further_off_than_claimed(
    shots: dict[bool, Shots], clocking: Clocking
) -> None:
    flight = _fly(shots, clocking, SPEED_MM_S, NO_LIMIT_MM)
    assert len(flight.error_mm) == FRAMES - SETTLED
    assert flight.honest


@pytest.mark.parametrize(
    "clocking",
    [
        Clocking.ARRIVAL,
        *(
            pytest.param(each, marks=pytest.mark.nightly)
            for each in Clocking
            if each is not Clocking.ARRIVAL
        ),
    ],
)
def test_a_robot_that_is_too_fast_is_believed(shots: dict[bool, Shots], clocking: Clocking) -> None:
    limit_mm_s = refused_from_mm_s(_fly(shots, clocking, SPEED_MM_S, NO_LIMIT_MM), LIMIT_MM)
    slower = _fly(shots, clocking, 0.98 * limit_mm_s, LIMIT_MM)
    faster = _fly(shots, clocking, 1.02 * limit_mm_s, LIMIT_MM)
    assert slower.refused == 0
    assert slower.honest
    assert faster.refused > 0
    assert _fly(shots, clocking, 3 * limit_mm_s, LIMIT_MM).refused == FRAMES - SETTLED


@pytest.mark.nightly
def test_better_clocks_allow_no_more_speed(shots: dict[bool, Shots]) -> None:
    ptp, estimated, arrival = (
        refused_from_mm_s(_fly(shots, clocking, SPEED_MM_S, NO_LIMIT_MM), LIMIT_MM)
        for clocking in (Clocking.PTP, Clocking.ESTIMATED, Clocking.ARRIVAL)
    )
    assert ptp > 5 * estimated
    assert estimated > 2 * arrival


def test_ptp_is_believed_where_arrivals_contradict_it(shots: dict[bool, Shots]) -> None:
    """The camera runs free, yet the configuration says that both share one time."""
    flight = fly(shots[False], CALIBRATION, Clocking.PTP, SPEED_MM_S, NO_LIMIT_MM, SETTLED)
    assert flight.refused == FRAMES - SETTLED


@pytest.mark.parametrize(("arrival", "shared_ns"), [(True, 1000), (False, 0), (False, -5)])
def test_stamps_that_cannot_be_are_made(arrival: bool, shared_ns: int) -> None:
    with pytest.raises(ValueError, match="shared time"):
        Stamps(on_arrival=arrival, shared_ns=shared_ns)
