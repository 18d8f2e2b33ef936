"""calibration.json as the workshop writes it: numbers, how sure they are, and where from.

It grows step by step (intrinsics, handeye, sensor, part). The runtime reads a complete one; its
`digest`, over every number that places a pixel in the part, is what recipes refer to, and a file
whose numbers were edited afterwards is refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from voxgate import __version__
from voxgate.calib.gates import Gate
from voxgate.calib.lens.lens import COEFFICIENTS, Lens, LensModel
from voxgate.calib.numerics.least_squares import Array
from voxgate.runtime.common.strict_json import Fields, parse_object
from voxgate.runtime.common.wall_clock import utc_now
from voxgate.runtime.errors import CalibrationError
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.geometry.served import SCHEMA_VERSION, is_served
from voxgate.runtime.transforms import Transform, rigid

Found = TypeVar("Found")

MAX_BYTES = 1 << 20
NEEDED = (
    *(("K",), ("part",), ("timing",)),
    *(("T_flange_cam", "T_base_cam"), ("T_base_part", "T_flange_part")),
)
"""What the runtime asks for: one of each."""
AFTER = {
    "intrinsics": ("handeye", "sensor", "part"),
    "handeye": ("part",),
    "sensor": (),
    "part": (),
}
"""A step that is done again makes these void: they rest on it."""
KEYS = {
    "handeye": ("T_flange_cam", "T_base_cam", "T_base_board", "T_flange_board", "mounting"),
    "sensor": ("T_cam_sensor", "sensor"),
    "part": ("T_base_part", "T_flange_part", "part", "views"),
}


@dataclass(frozen=True, slots=True)
class Step:
    """What one command found: numbers for the file, uncertainty, provenance and gates."""

    name: str
    numbers: Mapping[str, Any]
    uncertainty: Mapping[str, Any]
    figures: Mapping[str, float]
    gates: Sequence[Gate]
    inputs: Mapping[str, Any]
    options: Mapping[str, Any] = field(default_factory=dict)
    remarks: Sequence[str] = ()

    @property
    def missed(self) -> tuple[Gate, ...]:
        """Limits that are not kept."""
        return tuple(gate for gate in self.gates if not gate.ok)


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationFile:
    """The JSON object of a file, with what the steps need of it."""

    path: Path
    data: Mapping[str, Any]

    @classmethod
    def load(cls, path: Path) -> CalibrationFile:
        """Complete or not. Raises CalibrationError."""
        try:
            content = path.read_bytes()
            if len(content) > MAX_BYTES:
                raise ValueError("too large for a calibration")
            data = dict(parse_object(content.decode("utf-8")).values)
        except FileNotFoundError as error:
            raise CalibrationError(
                f"{path}: no such file; `voxgate calib intrinsics` begins one"
            ) from error
        except (OSError, ValueError) as error:
            raise CalibrationError(f"{path}: {error}") from error
        return cls(path, data)

    def lens(self) -> Lens:
        """The camera. Raises CalibrationError."""
        return self._read(_lens)

    def lens_covariance(self) -> Array | None:
        """(p, p) of the lens's values; None when the file does not tell."""
        fields = Fields(self.data.get("uncertainty") or {})
        if not fields.has("lens"):
            return None
        size = len(self.lens().values)
        return self._read(lambda _: fields.object_at("lens").numbers("covariance", (size, size)))

    def transform(self, key: str, made_by: str) -> Transform:
        """A transform. Raises CalibrationError that says which command makes it."""
        if key not in self.data:
            raise CalibrationError(f"{self.path}: {key} is missing: `voxgate calib {made_by}`")
        return self._read(lambda fields: rigid(fields.numbers(key, (4, 4))))

    def has(self, key: str) -> bool:
        """Whether a step has written it."""
        return key in self.data

    def _read(self, read: Callable[[Fields], Found]) -> Found:
        try:
            return read(Fields(self.data))
        except ValueError as error:
            raise CalibrationError(f"{self.path}: {error}") from error


def updated(base: CalibrationFile | None, step: Step, forced: bool) -> dict[str, Any]:
    """The file's object after `step`; what rested on an older result of it is taken out."""
    data: dict[str, Any] = {} if base is None else deepcopy(dict(base.data))
    steps = dict(data.get("steps") or {})
    uncertainty = dict(data.get("uncertainty") or {})
    for later in AFTER[step.name]:
        for key in KEYS[later]:
            data.pop(key, None)
            uncertainty.pop(key, None)
        steps.pop(later, None)
    data |= {"schema_version": SCHEMA_VERSION} | _plain(step.numbers)
    data["units"] = {"length": "mm", "angle": "rad", "time": "s"} | dict(data.get("units") or {})
    data["uncertainty"] = uncertainty | _plain(step.uncertainty)
    data["steps"] = steps | {step.name: _record(step, forced)}
    data.pop("digest", None)
    if "sensor" in data:
        data["units"].pop("depth_unit_mm", None)  # depth is the sensor's, and so is its unit
    whole = all(any(key in data for key in either) for either in NEEDED)
    whole = whole and ("sensor" in data or "depth_unit_mm" in data["units"])
    if whole and is_served(Fields(data)):
        data["digest"] = Calibration.from_text(json.dumps(data)).digest
    return data


def write_step(base: CalibrationFile | None, step: Step, out: Path, force: bool) -> dict[str, Any]:
    """Write the file after `step`. Raises CalibrationError when a limit is missed and not forced,
    or when the file cannot be written; an older file then stays as it was."""
    if step.missed and not force:
        raise CalibrationError(
            f"{out} is not written: {step.missed[0]}"
            + (f" (and {len(step.missed) - 1} more)" if len(step.missed) > 1 else "")
            + "; mend it, or --force, which is recorded in the file"
        )
    data = updated(base, step, bool(step.missed))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        fresh = out.with_name(out.name + ".new")
        fresh.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
        fresh.replace(out)
    except OSError as error:
        raise CalibrationError(f"{out}: cannot be written ({error.strerror})") from error
    return data


def lens_numbers(lens: Lens) -> dict[str, Any]:
    """The lens as the file holds it."""
    return {
        "image_size": {"width": lens.width_px, "height": lens.height_px},
        "lens_model": lens.model.value,
        "K": lens.matrix,
        "distortion": lens.distortion,
    }


def lens_uncertainty(lens: Lens, covariance: Array) -> dict[str, Any]:
    """Standard deviations by name, and the covariance of all of them."""
    sigma = np.sqrt(np.diag(covariance))
    return {
        "lens": {
            "sigma": dict(zip(lens.names, sigma.tolist(), strict=True)),
            "covariance": covariance,
        }
    }


def motion_uncertainty(covariance: Array) -> dict[str, Any]:
    """Of a transform a_from_b: covariance (6, 6) of a small motion of b in its own frame."""
    sigma = np.sqrt(np.diag(covariance))
    return {
        "of": "rotation vector about, rad, and translation along the second frame's own axes, mm",
        "sigma_mm": sigma[3:],
        "sigma_deg": np.degrees(sigma[:3]),
        "covariance": covariance,
    }


def _record(step: Step, forced: bool) -> dict[str, Any]:
    return {
        "created_utc": utc_now().isoformat(timespec="seconds"),
        "voxgate": __version__,
        "opencv": version("opencv-python-headless"),
        "inputs": _plain(step.inputs),
        "options": _plain(step.options),
        "figures": {name: _finite(value) for name, value in step.figures.items()},
        "limits": {gate.name: gate.limit.value for gate in step.gates},
        "missed": [str(gate) for gate in step.missed],
        "forced": forced,
        "remarks": list(step.remarks),
    }


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, np.generic):
        return value.item()
    return str(value) if isinstance(value, Path) else value


def _lens(fields: Fields) -> Lens:
    size = fields.object_at("image_size")
    name = fields.text("lens_model") if fields.has("lens_model") else LensModel.BROWN.value
    if name not in {each.value for each in LensModel}:
        raise ValueError(f"lens_model must be brown, rational or fisheye, got {name!r}")
    model = LensModel(name)
    matrix = fields.numbers("K", (3, 3))
    distortion = fields.numbers("distortion", (len(COEFFICIENTS[model]),))
    values = [matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2], *distortion]
    return Lens(
        model,
        size.integer("width", 1, 1 << 15),
        size.integer("height", 1, 1 << 15),
        np.array(values),
    )
