"""How the virtual cell can be told to misbehave, one word of the command line per fault.

    drop:view=3            the frame of view 3 never arrives      drop:frames=20%   drop:poses=50%
    delay:frames=20ms      every frame comes later                delay:poses=20ms
    delay:frames=2s,view=5 this one comes later                   (poses behind it wait in line)
    freeze:poses=300ms     silence from the middle of the scan on, or from view=N on
    stale:poses=300ms      the stream runs on with one old sample; stale:view=3 sends view 2 again
    reorder:view=3         view 3 arrives after view 4            duplicate:view=3  arrives twice
    step:camera=0.5s       somebody sets the clock of the camera  step:robot=-20ms
    corrupt:image,view=3   half of the bytes are missing          corrupt:depth
    nan:poses  quaternion:poses   poses around the exposure that are none
    stop:view=5            the camera dies before view 5

With a GenICam camera (sim/gentl) also, each by the view it begins with:

    miss:view=3   the camera does not see this trigger          stall:view=3   nor any from here on
    jump:view=3   its frame id leaves one out                   repeat:view=3  it is that of view 2
    zero:view=3   its stamp is 0                                back:view=3    one from a second ago
    format:view=3 it comes in a pixel format nobody knows       error:view=3   every access fails
    reboot:view=3 registers reset, no frame after that          swap:view=3    gone, another comes

With a 3D sensor beside the camera the faults of frames are the camera's; `sensor.` before the word
makes them the sensor's: sensor.drop:view=3. Its clock is set by step:sensor=0.5s.

`view=N` may be left out where the middle of the scan will do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum

from voxgate.runtime.errors import VoxGateError
from voxgate.runtime.nouns import Device


class FaultError(VoxGateError):
    """A fault that the virtual cell does not know how to commit."""


class Kind(str, Enum):
    """What goes wrong."""

    DROP = "drop"
    DELAY = "delay"
    FREEZE = "freeze"
    STALE = "stale"
    REORDER = "reorder"
    DUPLICATE = "duplicate"
    STEP = "step"
    CORRUPT = "corrupt"
    NAN = "nan"
    QUATERNION = "quaternion"
    STOP = "stop"
    MISS = "miss"
    STALL = "stall"
    JUMP = "jump"
    REPEAT = "repeat"
    ZERO = "zero"
    BACK = "back"
    FORMAT = "format"
    ERROR = "error"
    REBOOT = "reboot"
    SWAP = "swap"


class Target(str, Enum):
    """What it goes wrong with; VIEW is one frame, named by its place in the scan."""

    VIEW = "view"
    FRAMES = "frames"
    POSES = "poses"
    CAMERA = "camera"
    SENSOR = "sensor"
    ROBOT = "robot"
    IMAGE = "image"
    DEPTH = "depth"


class Unit(str, Enum):
    """What the number behind the target is."""

    NONE = "nothing"
    INDEX = "a view, as in view=3"
    FRACTION = "a share, as in 20% or 0.2"
    TIME = "a time, as in 20ms or 0.5s"


# one row per sentence that makes sense
ALLOWED: dict[tuple[Kind, Target], Unit] = {
    (Kind.DROP, Target.VIEW): Unit.INDEX,
    (Kind.DROP, Target.FRAMES): Unit.FRACTION,
    (Kind.DROP, Target.POSES): Unit.FRACTION,
    (Kind.DELAY, Target.FRAMES): Unit.TIME,
    (Kind.DELAY, Target.POSES): Unit.TIME,
    (Kind.FREEZE, Target.FRAMES): Unit.TIME,
    (Kind.FREEZE, Target.POSES): Unit.TIME,
    (Kind.STALE, Target.VIEW): Unit.INDEX,
    (Kind.STALE, Target.POSES): Unit.TIME,
    (Kind.REORDER, Target.VIEW): Unit.INDEX,
    (Kind.DUPLICATE, Target.VIEW): Unit.INDEX,
    (Kind.STEP, Target.CAMERA): Unit.TIME,
    (Kind.STEP, Target.ROBOT): Unit.TIME,
    (Kind.STEP, Target.SENSOR): Unit.TIME,
    (Kind.CORRUPT, Target.IMAGE): Unit.NONE,
    (Kind.CORRUPT, Target.DEPTH): Unit.NONE,
    (Kind.NAN, Target.POSES): Unit.NONE,
    (Kind.QUATERNION, Target.POSES): Unit.NONE,
    (Kind.STOP, Target.VIEW): Unit.INDEX,
    (Kind.MISS, Target.VIEW): Unit.INDEX,
    (Kind.STALL, Target.VIEW): Unit.INDEX,
    (Kind.JUMP, Target.VIEW): Unit.INDEX,
    (Kind.REPEAT, Target.VIEW): Unit.INDEX,
    (Kind.ZERO, Target.VIEW): Unit.INDEX,
    (Kind.BACK, Target.VIEW): Unit.INDEX,
    (Kind.FORMAT, Target.VIEW): Unit.INDEX,
    (Kind.ERROR, Target.VIEW): Unit.INDEX,
    (Kind.REBOOT, Target.VIEW): Unit.INDEX,
    (Kind.SWAP, Target.VIEW): Unit.INDEX,
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One misbehaviour. view: where (None: the middle, or all); time_ns or fraction: how much;
    device: whose frames."""

    kind: Kind
    target: Target
    view: int | None = None
    time_ns: int = 0
    fraction: float = 0.0
    device: Device = Device.CAMERA

    @property
    def of(self) -> Device:
        """Who commits it."""
        return Device.SENSOR if self.target is Target.SENSOR else self.device

    @property
    def of_sensor(self) -> bool:
        """Whether only a sensor beside the camera can commit it."""
        return self.of is Device.SENSOR

    def __post_init__(self) -> None:
        unit = _unit(self.kind, self.target.value)
        if unit is Unit.INDEX and self.view is None:
            raise FaultError(f"{self.kind.value} needs a view, as in {self.kind.value}:view=3")
        if self.view is not None and self.view < 0:
            raise FaultError(f"views count from 0, got view={self.view}")
        if not 0.0 <= self.fraction <= 1.0:
            raise FaultError(f"a share is between 0% and 100%, got {self.fraction:g}")
        if self.time_ns < 0 and self.kind is not Kind.STEP:
            raise FaultError(f"only a clock can step back, got {self.time_ns / 1e6:g} ms")

    def __str__(self) -> str:
        amount = {
            Unit.NONE: self.target.value,
            Unit.INDEX: f"view={self.view}",
            Unit.FRACTION: f"{self.target.value}={self.fraction:g}",
            Unit.TIME: f"{self.target.value}={self.time_ns / 1e6:g}ms",
        }[ALLOWED[self.kind, self.target]]
        place = "" if self.view is None or self.target is Target.VIEW else f",view={self.view}"
        whose = "sensor." if self.device is Device.SENSOR else ""
        return f"{whose}{self.kind.value}:{amount}{place}"


def fault_from_text(text: str) -> Fault:
    """The fault that `text` asks for.

    Raises FaultError with one line that says what is allowed.
    """
    head, _, tail = text.partition(":")
    whose, dot, word = head.strip().rpartition(".")
    if dot and whose == Device.SENSOR.value:
        return _of_sensor(fault_from_text(f"{word}:{tail}"), text)
    try:
        kind = Kind(head.strip())
    except ValueError:
        known = ", ".join(kind.value for kind in Kind)
        raise FaultError(f"fault {text!r}: {head!r} is not one of {known}") from None
    try:
        return _fault(kind, *tail.split(","))
    except FaultError as error:
        raise FaultError(f"fault {text!r}: {error}") from None


def _of_sensor(fault: Fault, text: str) -> Fault:
    if fault.target in (Target.POSES, Target.ROBOT, Target.CAMERA, Target.SENSOR):
        raise FaultError(f"fault {text!r}: {fault.target.value} are not of the sensor's frames")
    return replace(fault, device=Device.SENSOR)


def _fault(kind: Kind, first: str, *rest: str) -> Fault:
    name, _, amount = (part.strip() for part in first.partition("="))
    if len(rest) > 1:
        raise FaultError(f"at most one ',view=N' may follow, got {','.join(rest)!r}")
    view = _view(rest[0]) if rest else None
    unit, target = _unit(kind, name), Target(name)
    if unit is Unit.INDEX:
        if rest:
            raise FaultError("name the view once")
        return Fault(kind, target, view=_index(amount))
    if unit is Unit.FRACTION:
        return Fault(kind, target, view, fraction=_fraction(amount))
    if unit is Unit.TIME:
        return Fault(kind, target, view, time_ns=_time_ns(amount))
    if amount:
        raise FaultError(f"{target.value} takes no amount, got {amount!r}")
    return Fault(kind, target, view)


def _unit(kind: Kind, name: str) -> Unit:
    targets = {target.value: unit for (other, target), unit in ALLOWED.items() if other is kind}
    if name not in targets:
        raise FaultError(f"{kind.value} acts on {', '.join(targets)}, not on {name!r}")
    return targets[name]


def _view(text: str) -> int:
    name, _, amount = (part.strip() for part in text.partition("="))
    if name != "view":
        raise FaultError(f"expected view=N, got {text!r}")
    return _index(amount)


def _index(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,6}", text):
        raise FaultError(f"expected {Unit.INDEX.value}, got {text!r}")
    return int(text)


def _fraction(text: str) -> float:
    match = re.fullmatch(r"([0-9]*\.?[0-9]+)(%?)", text)
    if not match:
        raise FaultError(f"expected {Unit.FRACTION.value}, got {text!r}")
    return float(match[1]) / (100.0 if match[2] else 1.0)


def _time_ns(text: str) -> int:
    match = re.fullmatch(r"([+-]?[0-9]*\.?[0-9]+)(s|ms|us)", text)
    if not match:
        raise FaultError(f"expected {Unit.TIME.value}, got {text!r}")
    return round(float(match[1]) * {"s": 1e9, "ms": 1e6, "us": 1e3}[match[2]])
