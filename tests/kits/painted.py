"""The example bracket in colour: hue by place on the part, every luma kept as the camera had it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tests.kits.once import once
from tests.kits.small_scan import small_bracket
from voxgate.sim.paint import BEIGE, BLUE, RED, Cap, Colour, Hue, Recolour, copy_part_files
from voxgate.sim.paint import write_painted as write_capped

__all__ = ["BEIGE", "BLUE", "RED", "Hue"]

CAP_MM = (60.0, 20.0, 9.0)  # x, y and radius of the cap, part frame


def luma_of(colour: Colour) -> npt.NDArray[np.float64]:
    """By the textbook."""
    weighted: npt.NDArray[np.float64] = colour @ np.array([0.299, 0.587, 0.114])
    return weighted


@cache
def painted_bracket() -> Path:
    """Folder of golden, good and bad with a blue cap, and red_cap: good with a red one."""
    return once(small_bracket().parent / "painted", _paint)


def _paint(folder: Path) -> None:
    copy_part_files(small_bracket() / "golden", folder)
    for name in ("golden", "good", "bad"):
        write_painted(small_bracket() / name, folder / name, BLUE)
    write_painted(small_bracket() / "good", folder / "red_cap", RED)


def write_painted(
    scan: Path, out: Path, cap: Hue, body: Hue = BEIGE, changed: Recolour = lambda colour: colour
) -> Path:
    """The scan in colour; `changed`: what light and camera make of each picture."""
    x, y, radius = CAP_MM
    return write_capped(scan, out, [Cap((x, y), radius, cap)], body, changed)


def balanced(red: float, green: float, blue: float) -> Recolour:
    """Another white balance: so much more of each colour's light, through a square root."""
    gain = np.sqrt([red, green, blue])
    return lambda colour: np.asarray(np.clip(np.rint(colour * gain), 0, 255), np.uint8)
