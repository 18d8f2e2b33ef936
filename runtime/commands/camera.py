"""`voxgate camera ...`: what a GenTL producer offers, and one picture of it.

SOURCE is a producer (.cti) with --serial, or a cell's YAML, whose camera is then set as declared.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voxgate.runtime.commands.console import at_work, stdout_console
from voxgate.runtime.commands.options import AsJson
from voxgate.runtime.errors import CameraError, ConfigError

if TYPE_CHECKING:
    import numpy.typing as npt

    from voxgate.runtime.cameras.genicam.probe import FeatureRow
    from voxgate.runtime.cameras.settings import CameraSettings, NodeSetting
    from voxgate.runtime.config.cameras import GenicamCamera
    from voxgate.runtime.nouns import Frame

app = typer.Typer(
    help="GenICam cameras: list them, look at their features, take a picture.",
    no_args_is_help=True,
)
DEPTH_UNIT_MM = 0.1
YAML = (".yaml", ".yml")

Source = Annotated[Path, typer.Argument(help="A producer (.cti), or a cell's YAML.")]
Serial = Annotated[
    str | None, typer.Option("--serial", help="Which camera; may be left out if there is one.")
]
Interface = Annotated[
    str | None, typer.Option("--interface", help="Over which, if several reach it.")
]


@app.command("list")
def list_all(source: Source, as_json: AsJson = False) -> None:
    """Every camera the producer sees: exit 0, also when it sees none."""
    from rich.table import Table

    from voxgate.runtime.cameras.genicam.probe import list_cameras

    with at_work("looking for cameras", as_json):
        found = list_cameras(_producer(source))
    if as_json:
        typer.echo(json.dumps({"cameras": [asdict(camera) for camera in found]}))
        return
    table = Table("serial number", "vendor", "model", "name", "transport", "status", "interface")
    for camera in found:
        table.add_row(*asdict(camera).values())
    stdout_console().print(table if found else "no camera: check cable, power and address")


@app.command()
def probe(
    source: Source,
    serial: Serial = None,
    interface: Interface = None,
    grep: Annotated[str, typer.Option(help="Only features whose name has this in it.")] = "",
    as_json: AsJson = False,
) -> None:
    """Every feature of a camera: access, value, and what it may be set to."""
    from voxgate.runtime.cameras.genicam.probe import probe_camera, remarks

    with at_work("asking the camera", as_json):
        rows = probe_camera(
            _producer(source), _serial(source, serial), _interface(source, interface)
        )
    shown = [row for row in rows if grep.lower() in row.name.lower()]
    if as_json:
        features = [asdict(row) for row in shown]
        typer.echo(json.dumps({"features": features, "remarks": remarks(rows)}))
    else:
        _print_features(shown)
        for remark in remarks(rows):
            typer.echo(remark)


@app.command()
def snapshot(
    source: Source,
    serial: Serial = None,
    interface: Interface = None,
    out: Annotated[Path, typer.Option(help="PNG; depth goes beside it, 0.1 mm a count.")] = Path(
        "snapshot.png"
    ),
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="Feature=value, in order. Repeatable.")
    ] = None,
    timeout_s: Annotated[float, typer.Option(min=0.1, max=600, help="Wait so long.")] = 10.0,
    as_json: AsJson = False,
) -> None:
    """One picture. A cell's YAML sets the camera as on the line; a wrong value is named."""
    from voxgate.runtime.cameras.genicam.probe import snapshot as take_snapshot

    with at_work("taking a picture", as_json):
        settings = _settings(source, serial, interface, [_node(text) for text in setting or ()])
        frame = take_snapshot(settings, timeout_s)
        told = _save(frame, out)
    typer.echo(json.dumps(told) if as_json else _sentence(told))


def _genicam(file: Path, serial: str | None = None) -> GenicamCamera:
    """Of the cell's devices, a sensor included, the one of this serial number; else the first."""
    from voxgate.runtime.config.cameras import GenicamCamera
    from voxgate.runtime.config.cell import load_cell

    devices = load_cell(file).config.devices
    known = [device for device in devices if isinstance(device, GenicamCamera)]
    camera = next((each for each in known if serial in (None, each.serial_number)), devices[0])
    if not isinstance(camera, GenicamCamera):
        raise ConfigError(f"{file}: camera {camera.name} has source: network, there is no producer")
    return camera


def _producer(source: Path) -> str:
    return str(_genicam(source).producer if source.suffix in YAML else source)


def _serial(source: Path, serial: str | None) -> str:
    from voxgate.runtime.cameras.genicam.probe import list_cameras

    if serial is not None:
        return serial
    if source.suffix in YAML:
        return _genicam(source).serial_number
    found = sorted({camera.serial_number for camera in list_cameras(str(source))} - {""})
    if len(found) != 1:
        raise CameraError(f"{source}: sees {found or 'no camera'}: choose one with --serial")
    return found[0]


def _interface(source: Path, interface: str | None) -> str | None:
    return interface or (_genicam(source).interface if source.suffix in YAML else None)


def _settings(
    source: Path, serial: str | None, interface: str | None, nodes: list[NodeSetting]
) -> CameraSettings:
    from voxgate.runtime.cameras.genicam.probe import snapshot_settings
    from voxgate.runtime.cameras.settings import GenicamSettings

    if source.suffix in YAML:
        settings = _cell_settings(source, serial)
    else:
        producer = str(source.resolve())
        settings = snapshot_settings(producer, _serial(source, serial), interface)
    assert isinstance(settings.source, GenicamSettings)
    changed = replace(
        settings.source,
        nodes=(*settings.source.nodes, *nodes),
        interface=interface or settings.source.interface,
    )
    return replace(settings, source=changed)


def _cell_settings(source: Path, serial: str | None) -> CameraSettings:
    from voxgate.runtime.cameras.from_config import camera_settings, load_calibrations
    from voxgate.runtime.config.cell import load_cell

    camera, config = _genicam(source, serial), load_cell(source).config
    found = camera_settings(config, load_calibrations(config))
    return next(each for each in found if each.name == camera.name)


def _node(text: str) -> NodeSetting:
    from voxgate.runtime.cameras.settings import NodeSetting

    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise CameraError(f"--set {text!r}: write Feature=value, such as ExposureTime=5000.0")
    try:
        return NodeSetting(name, json.loads(value))
    except (json.JSONDecodeError, TypeError):
        return NodeSetting(name, value)


def _put(pixels: npt.NDArray[Any], out: Path) -> None:
    import cv2

    stored = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    try:
        _, content = cv2.imencode(out.suffix, stored)
        out.write_bytes(content.tobytes())
    except cv2.error as error:
        raise CameraError(f"{out}: is no kind of picture; name a .png") from error
    except OSError as error:
        raise CameraError(f"{out}: cannot be written: {error.strerror}") from error


def _save(frame: Frame, out: Path) -> dict[str, object]:
    import numpy as np

    _put(frame.image, out)
    told: dict[str, object] = {
        "image": str(out),
        "width_px": frame.image.shape[1],
        "height_px": frame.image.shape[0],
        "mean_grey": round(float(frame.image.mean()), 1),
        "frame_id": frame.frame_id,
        "exposure_us": frame.exposure_ns / 1000,
    }
    if frame.depth_mm is not None:
        depth_file = out.with_name(f"{out.stem}_depth.png")
        counts = np.nan_to_num(frame.depth_mm / DEPTH_UNIT_MM, nan=0.0)
        _put(np.clip(np.rint(counts), 0, 65_535).astype(np.uint16), depth_file)
        seen = np.isfinite(frame.depth_mm)
        median = round(float(np.nanmedian(frame.depth_mm)), 2) if seen.any() else None
        told |= {
            "depth": str(depth_file),
            "depth_seen": round(float(seen.mean()), 3),
            "depth_median_mm": median,
        }
    return told


def _sentence(told: dict[str, object]) -> str:
    lines = [
        f"{told['image']}: {told['width_px']} x {told['height_px']} px, mean grey "
        f"{told['mean_grey']}, frame {told['frame_id']}, exposure {told['exposure_us']} us"
    ]
    if "depth" in told:
        seen, median = told["depth_seen"], told["depth_median_mm"]
        lines.append(f"{told['depth']}: {seen:.1%} of the pixels, median {median} mm")
    return "\n".join(lines)


def _print_features(rows: list[FeatureRow]) -> None:
    from rich.table import Table

    table = Table("category", "feature", "access", "value", "allowed")
    last = ""
    for row in rows:
        category = "" if row.category == last else row.category
        table.add_row(category, row.name, row.access, row.value, row.allowed)
        last = row.category
    stdout_console().print(table)
