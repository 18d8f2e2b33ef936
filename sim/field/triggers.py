"""The exposures of a job as triggers of a GenICam camera, and what each fault does to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from voxgate.runtime.nouns import Device
from voxgate.sim.field.events import Power, Trigger
from voxgate.sim.field.faults import Fault, FaultError, Kind, Target
from voxgate.sim.field.timeline import Exposure
from voxgate.sim.gentl.link import Fault as CameraFault

LEAD_NS = 3_000_000  # the line is told so much before it rises: the exposure begins on time
BACK_NS = 1_000_000_000
AGAIN_NS = 40_000_000  # after a readout, when the sensor takes the next trigger
IO_ERROR = -1010  # GenTL: communication error
ALWAYS = -1

FOR_FRAMES_ONLY = (Kind.REORDER,)
FOR_TRIGGERS_ONLY = (
    *(Kind.MISS, Kind.STALL, Kind.JUMP, Kind.REPEAT, Kind.ZERO, Kind.BACK),
    *(Kind.FORMAT, Kind.ERROR, Kind.REBOOT, Kind.SWAP),
)


def check_faults(faults: Sequence[Fault], *, triggered: bool, sensed: bool = False) -> None:
    """Raises FaultError for a fault that this kind of cell cannot commit."""
    for fault in faults:
        if fault.of_sensor and not sensed:
            raise FaultError(f"{fault}: there is no sensor beside the camera")
        if triggered and fault.kind in FOR_FRAMES_ONLY:
            raise FaultError(f"{fault}: a GenICam camera keeps its frames in order")
        if not triggered and fault.kind in FOR_TRIGGERS_ONLY:
            raise FaultError(
                f"{fault}: only a GenICam camera can, this cell's frames come by network"
            )


def triggers_from_exposures(
    exposures: Sequence[Exposure],
    faults: Sequence[tuple[Fault, Exposure]],
    random: np.random.Generator,
    device: Device = Device.CAMERA,
) -> list[Trigger]:
    """One trigger per exposure, disturbed; each fault comes with the exposure it is tied to."""
    triggers = [Trigger(e.t_ns - LEAD_NS, e, device=device) for e in exposures]
    for fault, at in faults:
        if fault.kind in TRIGGER_FAULTS and fault.target is not Target.POSES:
            triggers = TRIGGER_FAULTS[fault.kind](triggers, fault, at, random)
    return sorted(triggers, key=lambda trigger: trigger.send_ns)


TriggerFault = Callable[[list[Trigger], Fault, Exposure, np.random.Generator], list[Trigger]]


def _with(trigger: Trigger, *faults: tuple[CameraFault, int]) -> Trigger:
    return replace(trigger, faults=(*trigger.faults, *faults))


def _once(*faults: tuple[CameraFault, int]) -> TriggerFault:
    """The camera commits these with the frame of the exposure."""

    def disturb(
        triggers: list[Trigger], fault: Fault, at: Exposure, random: np.random.Generator
    ) -> list[Trigger]:
        return [_with(t, *faults) if t.exposure.index == at.index else t for t in triggers]

    return disturb


def _powered(power: Power) -> TriggerFault:
    """Something happens to the camera just before the exposure."""

    def disturb(
        triggers: list[Trigger], fault: Fault, at: Exposure, random: np.random.Generator
    ) -> list[Trigger]:
        return [
            replace(t, power=power, fired=False) if t.exposure.index == at.index else t
            for t in triggers
        ]

    return disturb


def _drop(
    triggers: list[Trigger], fault: Fault, at: Exposure, random: np.random.Generator
) -> list[Trigger]:
    """Exposed, numbered, and lost on its way: the next id leaves it out."""
    if fault.target is Target.VIEW or fault.view is not None:
        lost = [t.exposure.index == at.index for t in triggers]
    else:
        lost = (random.random(len(triggers)) < fault.fraction).tolist()
    jump = (CameraFault.ID_JUMP, 1)
    return [
        replace(_with(t, jump), fired=False) if gone else t
        for t, gone in zip(triggers, lost, strict=True)
    ]


def _delay(
    triggers: list[Trigger], fault: Fault, at: Exposure, random: np.random.Generator
) -> list[Trigger]:
    late = (CameraFault.LATE_NS, fault.time_ns)
    return [
        _with(t, late) if fault.view is None or t.exposure.index == at.index else t
        for t in triggers
    ]


def _freeze(
    triggers: list[Trigger], fault: Fault, at: Exposure, random: np.random.Generator
) -> list[Trigger]:
    """Nothing comes for a while, then all of it."""
    thawed_ns = at.t_ns + fault.time_ns
    return [
        _with(t, (CameraFault.LATE_NS, thawed_ns - t.t_ns)) if at.t_ns <= t.t_ns < thawed_ns else t
        for t in triggers
    ]


def _duplicate(
    triggers: list[Trigger], fault: Fault, at: Exposure, random: np.random.Generator
) -> list[Trigger]:
    again = replace(at, t_ns=at.end_ns + AGAIN_NS)
    same = ((CameraFault.STALE, 1), (CameraFault.ID_REPEAT, 1))
    return [*triggers, Trigger(again.t_ns - LEAD_NS, again, same, device=fault.device)]


TRIGGER_FAULTS: dict[Kind, TriggerFault] = {
    Kind.DROP: _drop,
    Kind.DELAY: _delay,
    Kind.FREEZE: _freeze,
    Kind.STALE: _once((CameraFault.STALE, 1)),
    Kind.DUPLICATE: _duplicate,
    Kind.CORRUPT: _once((CameraFault.INCOMPLETE, 1)),
    Kind.STOP: _powered(Power.UNPLUG),
    Kind.MISS: _once((CameraFault.MISSED, 1)),
    Kind.STALL: _once((CameraFault.STALL, ALWAYS)),
    Kind.JUMP: _once((CameraFault.ID_JUMP, 1)),
    Kind.REPEAT: _once((CameraFault.ID_REPEAT, 1)),
    Kind.ZERO: _once((CameraFault.STAMP_ZERO, 1)),
    Kind.BACK: _once((CameraFault.STAMP_BACK_NS, BACK_NS), (CameraFault.STAMP_BACK, 1)),
    Kind.FORMAT: _once((CameraFault.UNKNOWN_FORMAT, 1)),
    Kind.ERROR: _once((CameraFault.PORT_ERROR, IO_ERROR), (CameraFault.EVENT_ERROR, IO_ERROR)),
    Kind.REBOOT: _powered(Power.REBOOT),
    Kind.SWAP: _powered(Power.SWAP),
}
