"""Where a camera's planes lie in its file, and what stands in the file when it begins to live."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from voxgate.sim.gentl.features.codes import PIXEL_FORMATS
from voxgate.sim.gentl.link import CONTROL, MAGIC, Control, aligned
from voxgate.sim.gentl.spec import CameraSpec, VirtualCameraError

VERSION = b"1.0"

Bytes = npt.NDArray[np.uint8]
Pixels = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the rays and the slots begin, how long one slot is, and the file; bytes."""

    spec: CameraSpec
    rays_offset: int
    slots_offset: int
    slot_bytes: int
    file_bytes: int

    @classmethod
    def of(cls, spec: CameraSpec) -> Layout:
        """The control record, the rays if there are any, then the slots."""
        rays = aligned(CONTROL.itemsize)
        rays_bytes = 8 * spec.width_px * spec.height_px if spec.rays is not None else 0
        slots = rays + aligned(rays_bytes)
        slot_bytes = sum(aligned(size) for size in spec.plane_bytes())
        return cls(spec, rays, slots, slot_bytes, slots + spec.slots * slot_bytes)

    def check_slot(self, slot: int) -> None:
        """Raises VirtualCameraError for a slot that the camera does not have."""
        if not 0 <= slot < self.spec.slots:
            raise VirtualCameraError(f"slots are 0 to {self.spec.slots - 1}, got {slot}")

    def planes(self, memory: Bytes, slot: int, *given: Pixels | None) -> list[tuple[Bytes, Pixels]]:
        """Intensity, depth and confidence, each with its place in the memory.

        Raises VirtualCameraError for one of another size than the spec's.
        """
        self.check_slot(slot)
        start = self.slots_offset + slot * self.slot_bytes
        planes = []
        names = ("intensity", "depth", "confidence")
        for name, size, plane in zip(names, self.spec.plane_bytes(), given, strict=True):
            if (plane.nbytes if plane is not None else 0) != size:
                found = "none" if plane is None else f"{plane.shape} of {plane.dtype}"
                raise VirtualCameraError(f"{name} must have {size} bytes, got {found}")
            if plane is not None:
                planes.append((memory[start : start + size], plane))
            start += aligned(size)
        return planes


def lay_out(memory: Bytes, layout: Layout, now_ns: int) -> Control:
    """Write the plan, the clocks and the rays; returns the control record in the memory."""
    spec = layout.spec
    control: Control = memory[: CONTROL.itemsize].view(CONTROL)
    _write_plan(control[0]["plan"], layout)
    _write_state(control[0], spec, now_ns)
    if spec.rays is not None:
        rays = np.ascontiguousarray(spec.rays, np.float32).view(np.uint8).reshape(-1)
        memory[layout.rays_offset : layout.rays_offset + rays.size] = rays
    return control


def _write_plan(plan: Any, layout: Layout) -> None:
    spec = layout.spec
    plan["magic"] = MAGIC
    plan["control_bytes"], plan["file_bytes"] = CONTROL.itemsize, layout.file_bytes
    plan["width"], plan["height"], plan["slots"] = spec.width_px, spec.height_px, spec.slots
    plan["rays_offset"] = layout.rays_offset if spec.rays is not None else 0
    plan["slots_offset"], plan["slot_bytes"] = layout.slots_offset, layout.slot_bytes
    plan["intensity_format"] = PIXEL_FORMATS[spec.intensity]
    plan["range_format"] = PIXEL_FORMATS[spec.range_format] if spec.range_format else 0
    plan["range_divisor"], plan["baseline_m"] = spec.range_divisor, spec.baseline_m
    plan["has_confidence"] = spec.has_confidence
    plan["range_scale"], plan["range_offset"] = spec.range_scale_mm, spec.range_offset_mm
    plan["range_invalid"] = spec.range_invalid
    plan["focal_px"] = spec.lens.focal_px
    plan["centre_u_px"], plan["centre_v_px"] = spec.lens.centre_u_px, spec.lens.centre_v_px
    plan["seed"] = spec.seed
    plan["frame_id_bits"], plan["line_padding"] = spec.frame_id_bits, spec.line_padding
    plan["silent"] = sum(1 << question for question in set(spec.silent))
    plan["interfaces"] = sum(1 << number for number in set(spec.interfaces))
    plan["vendor"], plan["model"] = spec.vendor.encode(), spec.model.encode()
    plan["version"] = VERSION


def _write_state(control: Any, spec: CameraSpec, now_ns: int) -> None:
    control["serial"], control["present"], control["session"] = spec.serial.encode(), 1, 1
    control["temperature_c"] = 38.0
    clock = control["clock"]
    clock["zero_host_ns"], clock["zero_device_ns"] = now_ns, now_ns + spec.clock.offset_ns
    clock["drift_ppm"], clock["jitter_ns"] = spec.clock.drift_ppm, spec.clock.jitter_ns
    for name in ("master_minus_host_ns", "settle_ns", "residual_ns"):
        control[f"ptp_{name}"] = getattr(spec.ptp, name)
    for name in type(spec.timing).__slots__:
        control[name] = getattr(spec.timing, name)
