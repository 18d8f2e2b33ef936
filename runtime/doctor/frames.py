"""What pictures and depth take of a cell's memory while a job is open, at the most."""

from __future__ import annotations

from collections.abc import Sequence

from voxgate.runtime.cameras.from_config import camera_settings, load_calibrations
from voxgate.runtime.cameras.process import ring_shape
from voxgate.runtime.cameras.settings import CameraSettings
from voxgate.runtime.common.host_memory import MEMINFO, available_mb_in
from voxgate.runtime.config.sections import CellConfig
from voxgate.runtime.doctor.machine import Machine
from voxgate.runtime.doctor.rows import Finding, green, off, yellow
from voxgate.runtime.doctor.serving import default_recipe
from voxgate.runtime.errors import VoxGateError
from voxgate.runtime.nouns import Device

MB = 1_000_000
DEPTH_BYTES = 4  # of a pixel


def frames(machine: Machine, config: CellConfig) -> Finding:
    """In the cameras' rings, and of views that wait for their inspection or its recording."""
    try:
        calibrations = load_calibrations(config)
        cameras = camera_settings(config, calibrations)
        recipe = default_recipe(config, calibrations)
    except VoxGateError as error:
        return off(str(error).splitlines()[0])
    rings_mb = sum(ring_shape(each).total_bytes for each in cameras) / MB
    view_mb = sum(_largest(cameras, device) for device in Device) / MB
    views = config.job.queue_views if recipe is None else len(recipe.plan.views)
    job_mb = views * view_mb
    said = f"{view_mb:,.0f} MB a view, {job_mb:,.0f} MB a job; rings of {rings_mb:,.0f} MB at most"
    return _recorded(config, job_mb, said) or _in_memory(machine, rings_mb + job_mb, said)


def _largest(cameras: Sequence[CameraSettings], device: Device) -> int:
    """Of a frame of such a device: a view is of one camera, and the sensor beside it."""
    return max((_frame_bytes(each) for each in cameras if each.device == device.value), default=0)


def _frame_bytes(camera: CameraSettings) -> int:
    """Of one frame, as it waits."""
    pixels = camera.width_px * camera.height_px
    of_picture = 0 if camera.device == Device.SENSOR.value else 3 if camera.colour else 1
    return pixels * (of_picture + (DEPTH_BYTES if camera.depth else 0))


def _recorded(config: CellConfig, job_mb: float, said: str) -> Finding | None:
    evidence = config.evidence
    if evidence is None or not evidence.enabled or job_mb <= evidence.queue_mb:
        return None
    least_mb = int(1.1 * job_mb) + 1  # poses and what comes twice
    return yellow(f"{said}: no job would be recorded", f"evidence.queue_mb: {least_mb} or more")


def _in_memory(machine: Machine, needed_mb: float, said: str) -> Finding:
    free_mb = available_mb_in(machine.read(str(MEMINFO)) or "")
    if 0 < free_mb < needed_mb:
        return yellow(
            f"{said}: {free_mb:,.0f} MB are free",
            "lower `slots` of the cameras, or end other programs",
        )
    return green(said)
