"""Virtual cameras for anybody's GenICam software: `voxgate camera serve SCAN ...`.

They look at the views of one scan after the other in turn, free-running or triggered as the
software sets them, until Ctrl-C or until whoever started them is gone. Lines on stdin command them,
all of them unless a serial number comes first:

    fire                    raise Line1 now
    show 3                  stand before view 3 and stay there; `show` alone: in turn again
    STALE, INCOMPLETE 2, STALL -1, LATE_NS 5000000 ...   a fault by its name, and how often or much
    forgive                 no fault any more
    step 0.5                set the clock by seconds
    unplug, plug, swap, reboot
"""

from __future__ import annotations

import itertools
import os
import select
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import typer

from voxgate.runtime.errors import VoxGateError
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.scans.open_scan import open_scan
from voxgate.sim.field.genicam_camera import SLOTS, camera_spec
from voxgate.sim.field.network_camera import Encoding, Picture, pictures_from_scan
from voxgate.sim.gentl.build import build
from voxgate.sim.gentl.link import Fault
from voxgate.sim.gentl.virtual_camera import VirtualCamera

NS_PER_S = 1_000_000_000
OUT = Path("out") / "gentl"
PARENT_S = 0.5  # how often to look whether the parent is still there


class Showcase:
    """One camera that looks at one view after the other, of one scan after the other."""

    def __init__(self, camera: VirtualCamera, scans: Sequence[Sequence[Picture]]) -> None:
        self.camera = camera
        self._scans = itertools.cycle(scans)
        self._more = len(scans) > 1
        self._still = False
        self._view = 0
        self._lay_out()

    def turn(self) -> None:
        """The next view, unless one was asked for."""
        if self._still:
            return
        self._view = (self._view + 1) % self._count
        if self._view == 0 and self._more:
            self._lay_out()
        self.camera.stand_before(self._view)

    def _lay_out(self) -> None:
        """Before the camera: the views of the next scan."""
        pictures = next(self._scans, ())[:SLOTS]
        self._count = len(pictures)
        spec = self.camera.spec
        size = (spec.height_px, spec.width_px)
        for slot, picture in enumerate(pictures):
            image = picture.before_lens(size, spec.intensity == "RGB8")
            counts = picture.depth or bytes(2 * size[0] * size[1])
            self.camera.show(slot, image, np.frombuffer(counts, np.uint16).reshape(size))

    def obey(self, words: Sequence[str]) -> None:
        """One command. Raises VoxGateError with what is possible."""
        name, rest = words[0], words[1:]
        if name == "show":
            self._still = bool(rest)
            if rest:
                self.camera.stand_before(_number(rest[0]))
        elif name == "step":
            self.camera.set_clock(step_ns=round(_real(rest[0] if rest else "") * NS_PER_S))
        elif name.upper() in Fault.__members__:
            self.camera.commit(Fault[name.upper()], _number(rest[0]) if rest else 1)
        elif name in self._simple:
            self._simple[name]()
        else:
            known = ["show", "step", *self._simple, *Fault.__members__]
            raise VoxGateError(f"{name!r} is none of {', '.join(known)}")

    @property
    def _simple(self) -> dict[str, Callable[[], object]]:
        camera = self.camera
        return {
            "fire": camera.fire,
            "forgive": camera.forgive,
            "unplug": camera.unplug,
            "plug": lambda: camera.plug_in(camera.spec.serial),
            "swap": lambda: camera.plug_in(f"{camera.spec.serial}-other"),
            "reboot": camera.reboot,
        }


def serve_cameras(folders: Sequence[Path], serial: str, count: int, look_s: float) -> None:
    """Until Ctrl-C or the parent's end. Raises VoxGateError when nothing can be served."""
    parent = os.getppid()
    producer = build(OUT)
    calibration, scans = _seen(folders)
    serials = [serial] if count == 1 else [f"{serial}-{number + 1}" for number in range(count)]
    colour = any(picture.in_colour for scan in scans for picture in scan)
    with ExitStack() as stack:
        shown = {}
        for number, name in enumerate(serials):
            # clocks of their own: nothing can work by mistaking one for another
            clock = ((3_000 + 1_000 * number) * NS_PER_S, -9.0 + 5.0 * number)
            spec = camera_spec(name, calibration, clock, colour)
            camera = stack.enter_context(VirtualCamera(spec))
            shown[name] = Showcase(camera, scans)
        typer.echo(f"producer: {producer}\nserial numbers: {', '.join(shown)}\nCtrl-C ends them.")
        _run(shown, look_s, parent)


def _seen(folders: Sequence[Path]) -> tuple[Calibration, list[tuple[Picture, ...]]]:
    """What one camera took: its calibration and the pictures of each scan."""
    scans = [open_scan(folder) for folder in folders]
    calibration = scans[0].calibration
    size = (calibration.width_px, calibration.height_px)
    for folder, scan in zip(folders, scans, strict=True):
        if (scan.calibration.width_px, scan.calibration.height_px) != size:
            raise VoxGateError(
                f"{folder}: pictures of another size than {folders[0]}'s: one camera"
            )
    return calibration, [pictures_from_scan(scan, Encoding.RAW) for scan in scans]


def _run(shown: dict[str, Showcase], look_s: float, parent: int) -> None:
    listening = True
    due = time.monotonic() + look_s
    try:
        while os.getppid() == parent:
            wait_s = min(PARENT_S, max(0.0, due - time.monotonic()))
            if listening and select.select([sys.stdin], [], [], wait_s)[0]:
                line = sys.stdin.readline()
                listening = bool(line)  # started without a terminal: nobody commands
                _command(shown, line.split())
            elif not listening:
                time.sleep(wait_s)
            if time.monotonic() >= due:
                due += look_s
                for each in shown.values():
                    each.turn()
    except KeyboardInterrupt:
        typer.echo("")


def _command(shown: dict[str, Showcase], words: list[str]) -> None:
    chosen = list(shown.values())
    if words and words[0] in shown:
        chosen, words = [shown[words[0]]], words[1:]
    if not words:
        return
    try:
        for each in chosen:
            each.obey(words)
    except VoxGateError as error:
        typer.echo(str(error), err=True)


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise VoxGateError(f"expected a whole number, got {text!r}") from None


def _real(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise VoxGateError(f"expected a number, got {text!r}") from None
