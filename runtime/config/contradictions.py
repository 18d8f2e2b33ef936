"""Contradictions in a cell's YAML: each value is allowed, together they are not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from voxgate.runtime.common.access import Role
from voxgate.runtime.common.endpoints import host_of, is_loopback
from voxgate.runtime.config.cameras import Camera, GenicamCamera, NetworkCamera
from voxgate.runtime.config.document import Key
from voxgate.runtime.config.sections import CellConfig
from voxgate.runtime.config.security import Peer, Signer


def contradictions(config: CellConfig) -> Iterator[tuple[Key, str]]:
    """What no single field can see, and files that do not exist: the key and what to do."""
    for check in (
        _times,
        _twice_a_device,
        _calibrations,
        _exposure,
        _clocks,
        _endpoints,
        _network,
        _page,
        _mqtt,
        _opcua,
        _peers,
        _recipes,
        _signers,
        _files,
        _evidence,
    ):
        yield from check(config)


def _times(config: CellConfig) -> Iterator[tuple[Key, str]]:
    deadline_ms = config.job.deadline_ms
    if config.job.late_frame_ms >= deadline_ms:
        yield (
            ("job", "late_frame_ms"),
            f"{config.job.late_frame_ms}: must be below job.deadline_ms, which is {deadline_ms}",
        )
    for key, camera in config.devices_at():
        if camera.heartbeat_ms >= deadline_ms:
            yield (
                (*key, "heartbeat_ms"),
                f"{camera.heartbeat_ms}: must be below job.deadline_ms, which is {deadline_ms}: "
                "a dead camera would be noticed after the verdict",
            )
        if camera.backoff_max_ms < camera.backoff_ms:
            yield (
                (*key, "backoff_max_ms"),
                f"{camera.backoff_max_ms}: must not be below backoff_ms, which is "
                f"{camera.backoff_ms}",
            )


def _recipes(config: CellConfig) -> Iterator[tuple[Key, str]]:
    default = config.recipes.default
    if config.recipes.fallback and (default is None or "/" in default):
        yield (
            ("recipes", "fallback"),
            f"true: recipes.default is {default}; there is something to fall back to only where it "
            "names a recipe without its version",
        )


def _twice_a_device(config: CellConfig) -> Iterator[tuple[Key, str]]:
    """Two devices under one name or number would be one: also one that two interfaces reach."""
    before: list[Camera] = []
    for key, device in config.devices_at():
        names = {other.name for other in before}
        if device.name in names:
            whose = "the camera" if key == ("sensor",) else "another camera"
            yield (*key, "name"), f"{device.name}: is {whose}'s, choose another"
        others = [other for other in before if isinstance(other, GenicamCamera)]
        if isinstance(device, GenicamCamera):
            same = [other for other in others if other.serial_number == device.serial_number]
            if same:
                yield (*key, "serial_number"), _same_device(key, device, same[0])
        before.append(device)


def _same_device(key: Key, device: GenicamCamera, other: GenicamCamera) -> str:
    """`interface` says by which way a device is opened; it is the same one by every way."""
    if key == ("sensor",):
        return (
            f"{device.serial_number}: is camera {other.name}'s: leave `sensor` out where one "
            "device delivers both on the same pixels"
        )
    return (
        f"{device.serial_number}: is camera {other.name}'s: one device is opened once, whatever "
        "interfaces reach it"
    )


def _calibrations(config: CellConfig) -> Iterator[tuple[Key, str]]:
    """Each camera has its own: two cameras are never in one place."""
    if config.sensor is not None and config.sensor.colour:
        yield ("sensor", "colour"), "nobody looks at a sensor's own picture: take it out"
    if config.sensor is not None and config.sensor.calibration is not None:
        yield (
            ("sensor", "calibration"),
            "a sensor stands in the calibration of the camera that it sits beside: leave it out",
        )
    taken: dict[Path, str] = {}
    for index, camera in enumerate(config.cameras):
        file = camera.calibration or config.calibration
        key: Key = ("cameras", index, "calibration")
        if file is None:
            yield key, f"camera {camera.name} has none: name its calibration.json"
        elif file in taken:
            yield key, f"{file}: is camera {taken[file]}'s: name that of camera {camera.name}"
        else:
            taken[file] = camera.name
            if not _is(file, Path.is_file):
                yield (key if camera.calibration else ("calibration",)), f"{file}: no such file"


def _exposure(config: CellConfig) -> Iterator[tuple[Key, str]]:
    for key, camera in config.devices_at():
        if isinstance(camera, GenicamCamera):
            given = [camera.exposure_us, camera.exposure_node]
            if given.count(None) == 0 or (given.count(None) == 2 and not camera.setup.exposure_us):
                yield (
                    (*key, "exposure_us"),
                    "give exposure_us or exposure_node, not both",
                )
            yield from _setup(key, camera)


def _setup(place: Key, camera: GenicamCamera) -> Iterator[tuple[Key, str]]:
    setup, key = camera.setup, (*place, "setup")
    if setup.trigger is not None and setup.frame_rate_hz is not None:
        yield (*key, "frame_rate_hz"), "a triggered camera has no frame rate: leave one of them out"
    assumed_us, set_us = camera.exposure_us, setup.exposure_us
    if assumed_us is not None and set_us is not None and assumed_us != set_us:
        yield (
            (*key, "exposure_us"),
            f"{set_us:g}: the camera's exposure_us says {assumed_us:g}; leave that one out",
        )
    if setup.ptp is not None and setup.ptp.settle_ms >= camera.start_ms:
        yield (
            (*key, "ptp", "settle_ms"),
            f"{setup.ptp.settle_ms}: must be below start_ms, which is {camera.start_ms}",
        )


def _clocks(config: CellConfig) -> Iterator[tuple[Key, str]]:
    if config.sync.clocks != "ptp":
        return
    for camera in config.devices:
        follows = isinstance(camera, GenicamCamera) and camera.setup.ptp is not None
        if not follows or (isinstance(camera, GenicamCamera) and camera.timestamp != "device"):
            yield (
                ("sync", "clocks"),
                f"ptp: camera {camera.name} does not follow it: give it setup.ptp and timestamp: "
                "device, or choose estimated",
            )


def _bound(config: CellConfig) -> Iterator[tuple[Key, str]]:
    yield ("sockets", "poses"), config.sockets.poses
    yield ("sockets", "commands"), config.sockets.commands
    yield ("sockets", "verdicts"), config.sockets.verdicts
    if config.sockets.pictures is not None:
        yield ("sockets", "pictures"), config.sockets.pictures
    for key, camera in config.devices_at():
        if isinstance(camera, NetworkCamera):
            yield (*key, "endpoint"), camera.endpoint
    if config.metrics.enabled:
        yield ("metrics", "port"), f"tcp://{_bracketed(config.metrics.host)}:{config.metrics.port}"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _endpoints(config: CellConfig) -> Iterator[tuple[Key, str]]:
    taken: dict[str, str] = {}
    for key, endpoint in _bound(config):
        # two hosts of one machine can share a port number, but nobody who reads this means it
        port = endpoint.rpartition(":")[2] if endpoint.startswith("tcp") else endpoint
        name = ".".join(str(step) for step in key)
        if port in taken:
            yield key, f"{endpoint}: {port} is taken by {taken[port]}, choose another"
        taken.setdefault(port, name)


def _network(config: CellConfig) -> Iterator[tuple[Key, str]]:
    for key, endpoint in _bound(config):
        if is_loopback(host_of(endpoint)):
            continue
        words = f"{endpoint} is reachable from the network without encryption: use 127.0.0.1, or "
        metrics = config.metrics
        if key[0] != "metrics" and config.security is None:
            yield key, words + "make keys (voxgate keys --help) and name them under security"
        elif key[0] == "metrics" and (metrics.tls is None or metrics.basic_auth is None):
            yield ("metrics", "host"), words + "give metrics.tls and metrics.basic_auth"


def _page(config: CellConfig) -> Iterator[tuple[Key, str]]:
    page = config.page
    if page.accounts is not None and page.tls is None:
        yield ("page", "accounts"), "a password is only told over TLS: give page.tls"
    if is_loopback(page.host):
        return
    if page.tls is None or page.accounts is None:
        words = f"{page.host} is reachable from the network: use 127.0.0.1, or give page.tls and "
        yield ("page", "host"), words + "page.accounts"
    if not page.names:
        yield ("page", "names"), "by which name do browsers call this box? e.g. [cell4.plant.lan]"


def _mqtt(config: CellConfig) -> Iterator[tuple[Key, str]]:
    mqtt = config.mqtt
    if mqtt is None:
        return
    if mqtt.tls is None and not is_loopback(mqtt.broker):
        words = f"{mqtt.broker} is reached without encryption, where anybody may change a verdict: "
        yield ("mqtt", "broker"), words + "give mqtt.tls ({} for the system's own authorities)"
    if mqtt.tls is not None and (mqtt.tls.certificate is None) != (mqtt.tls.key is None):
        yield ("mqtt", "tls"), "a certificate and its key go together"
    if mqtt.password_file is not None and mqtt.user is None:
        yield ("mqtt", "password_file"), "whose password is it? give mqtt.user"


def _opcua(config: CellConfig) -> Iterator[tuple[Key, str]]:
    door = config.opcua
    if door is None:
        return
    if door.security is None and not is_loopback(door.host):
        words = (
            f"{door.host} is reachable from the network, where anybody may start and stop jobs: "
        )
        yield ("opcua", "host"), words + "use 127.0.0.1, or give opcua.security"
    if door.port == config.page.port:
        yield ("opcua", "port"), f"{door.port} is the page's, choose another"


def _peers(config: CellConfig) -> Iterator[tuple[Key, str]]:
    """A role that nobody has is a cell that never gives a verdict."""
    if config.security is None:
        return
    needed: list[Role] = ["poses", "commands"]
    if any(isinstance(camera, NetworkCamera) for camera in config.devices):
        needed.append("frames")
    allowed = config.security.access().allowed
    for role in needed:
        if not allowed[role]:
            yield ("security", "peers"), f"no peer has the role {role}: add it to one of them"
    yield from _twice(config.security.peers, ("security", "peers"))


def _signers(config: CellConfig) -> Iterator[tuple[Key, str]]:
    recipes = config.recipes
    if bool(recipes.signers) == recipes.allow_unsigned:
        yield (
            ("recipes", "allow_unsigned"),
            f"{str(recipes.allow_unsigned).lower()}: either name signers (voxgate keys signer "
            "makes one), or allow unsigned recipes, not both and not neither",
        )
    yield from _twice(recipes.signers, ("recipes", "signers"))


def _twice(listed: Sequence[Peer | Signer], where: Key) -> Iterator[tuple[Key, str]]:
    """Two lines for one key would leave it open what its owner may do, and what he is called."""
    names, keys = [each.name for each in listed], [each.public_key for each in listed]
    for index, (name, key) in enumerate(zip(names, keys, strict=True)):
        if name in names[:index]:
            yield (*where, index, "name"), f"{name}: is taken, choose another name"
        if key in keys[:index]:
            other = names[keys.index(key)]
            yield (*where, index, "public_key"), f"is {other}'s already: one line for each key"


def _files(config: CellConfig) -> Iterator[tuple[Key, str]]:
    if not _is(config.recipes.folder, Path.is_dir):
        yield ("recipes", "folder"), f"{config.recipes.folder}: no such folder"
    elif config.recipes.default and not _is(
        config.recipes.folder / config.recipes.default, Path.is_dir
    ):
        yield (
            ("recipes", "default"),
            f"{config.recipes.default}: not in {config.recipes.folder}: `voxgate export` makes it",
        )
    yield from _producers(config)
    if config.security is not None and not _is(config.security.secret_key, Path.is_file):
        yield (
            ("security", "secret_key"),
            f"{config.security.secret_key}: no such file: `voxgate keys box` makes one",
        )
    if _is(config.journal.path, Path.is_dir):
        yield ("journal", "path"), f"{config.journal.path}: is a folder, name a file"


def _evidence(config: CellConfig) -> Iterator[tuple[Key, str]]:
    evidence = config.evidence
    if evidence is None:
        return
    if evidence.keep_fail_days < evidence.max_age_days:
        yield (
            ("evidence", "keep_fail_days"),
            f"{evidence.keep_fail_days:g}: must not be below max_age_days, which is "
            f"{evidence.max_age_days:g}: what failed is asked for longest",
        )
    if _is(evidence.folder, Path.exists) and not _is(evidence.folder, Path.is_dir):
        yield ("evidence", "folder"), f"{evidence.folder}: is a file, name a folder"


def _producers(config: CellConfig) -> Iterator[tuple[Key, str]]:
    for key, camera in config.devices_at():
        if isinstance(camera, GenicamCamera) and not _is(camera.producer, Path.is_file):
            yield (*key, "producer"), f"{camera.producer}: no such file"


def _is(path: Path, what: Callable[[Path], bool]) -> bool:
    """False, too, of what no file system can hold: a name of 300 letters."""
    try:
        return what(path)
    except OSError:
        return False
