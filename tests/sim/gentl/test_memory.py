"""The producer under the memory checkers, with everything a hostile neighbour can write."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.kits import virtual
from tests.kits.needs import needs_c_compiler, needs_valgrind
from tests.kits.repository import ROOT
from voxgate.runtime.cameras.setup import CameraSetup
from voxgate.sim.gentl.build import SOURCES, build, compiler
from voxgate.sim.gentl.link import CONTROL, PLAN
from voxgate.sim.gentl.virtual_camera import VirtualCamera

pytestmark = [
    pytest.mark.slow,
    needs_c_compiler,
]
SANITIZERS = ("-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
PROGRAM = ROOT / "tests" / "kits" / "c" / "consumer.c"
RUN_S = 100.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("c")


def _compiled(folder: Path, name: str, *flags: str) -> Path:
    made = folder / name
    if not made.exists():
        command = [str(compiler()), "-g", "-w", *flags, f"-I{SOURCES}", str(PROGRAM)]
        subprocess.run([*command, "-o", str(made), "-ldl", "-pthread"], check=True, timeout=60)
    return made


@pytest.fixture
def camera() -> Iterator[VirtualCamera]:
    with virtual.showing("memory", slots=4) as made:
        yield made


def _run(command: list[str | Path], **environment: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=False,
        env={"PATH": "/usr/bin:/bin", **environment},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.strip() == "sane"
    return done


@pytest.mark.nightly  # by day under valgrind, below
@pytest.mark.parametrize("mode", ["stream", "registers"])
def test_memory_is_read_that_is_not_there(camera: VirtualCamera, folder: Path, mode: str) -> None:
    """AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer over producer and consumer."""
    consumer = _compiled(folder, "sanitized", *SANITIZERS)
    producer = build(ROOT / "out" / "gentl", SANITIZERS)
    _run([consumer, producer, camera.spec.serial, mode, "1"])


@pytest.mark.parametrize("padding", [0, 3])
@pytest.mark.parametrize("pixel_format", ["Mono10p", "Mono12Packed", "BayerRG12p"])
def test_packed_parts_are_longer_than_their_buffer(
    folder: Path, pixel_format: str, padding: int
) -> None:
    """Odd lines and disparity beside them; a camera keeps what it was set to."""
    components = (("Intensity", pixel_format), ("Disparity", "Coord3D_C12p"))
    odd: dict[str, Any] = {"width_px": 61, "height_px": 47, "line_padding": padding}
    with virtual.showing("packed", range_divisor=2, baseline_m=0.1, **odd) as camera:
        own = virtual.settings(camera, setup=CameraSetup(components=components))
        with virtual.opened(own):
            pass
        consumer = _compiled(folder, "sanitized", *SANITIZERS)
        producer = build(ROOT / "out" / "gentl", SANITIZERS)
        _run([consumer, producer, camera.spec.serial, "as-set", "1"])


@needs_valgrind
def test_memory_is_used_before_it_is_written(camera: VirtualCamera, folder: Path) -> None:
    """valgrind over the producer as it is shipped."""
    command = ["valgrind", "--quiet", "--error-exitcode=9", "--leak-check=full"]
    consumer = _compiled(folder, "plain")
    _run([*command, consumer, virtual.cti(), camera.spec.serial, "stream", "1"])


@pytest.mark.parametrize(
    "seed", [1, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in range(2, 12))]
)
def test_scribbled_memory_breaks_the_consumer(
    camera: VirtualCamera, folder: Path, seed: int
) -> None:
    """Bytes anywhere in the control block, all the time, while the consumer opens and streams."""
    consumer = _compiled(folder, "sanitized", *SANITIZERS)
    producer = build(ROOT / "out" / "gentl", SANITIZERS)
    over = threading.Event()
    scribbler = threading.Thread(target=_scribble, args=(camera, seed, over))
    scribbler.start()
    try:
        _run([consumer, producer, camera.spec.serial, "hostile", str(seed)])
    finally:
        over.set()
        scribbler.join()


def _scribble(camera: VirtualCamera, seed: int, over: threading.Event) -> None:
    """What is read all the time, rarely the plan that is read once; now and then all is sane."""
    random = np.random.default_rng(seed)
    sane = camera._bytes[: CONTROL.itemsize].copy()
    odd = (0, 1, -1, 2**31, 2**62, -(2**63), 0x7FF0000000000000, 0x7FF8000000000001)
    while not over.is_set():
        first = 0 if random.random() < 0.05 else PLAN.itemsize
        for word in random.integers(first // 8, CONTROL.itemsize // 8, 6):
            value = odd[int(random.integers(len(odd)))]
            camera._bytes[8 * word : 8 * word + 8].view(np.int64)[:] = value
        over.wait(0.004)
        if random.random() < 0.5:
            camera._bytes[: CONTROL.itemsize] = sane
            over.wait(0.02)


@pytest.mark.parametrize("size", [0, 100, CONTROL.itemsize, CONTROL.itemsize + 1])
def test_a_file_of_another_size_is_a_camera(
    camera: VirtualCamera, folder: Path, size: int, tmp_path: Path
) -> None:
    """Cut before it is opened: it is not listed, and the others are."""
    import fcntl

    from voxgate.sim.gentl.link import FOLDER, PREFIX

    whole = (FOLDER / f"{PREFIX}{camera.spec.serial}").read_bytes()
    cut = FOLDER / f"{PREFIX}{virtual.serial('cut')}"
    with cut.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            file.write(whole[:size])
            file.flush()
            with virtual.opened(virtual.settings(camera)) as source:
                serials = [d.serial_number for d in source._device.harvester.device_info_list]
            assert camera.spec.serial in serials
            assert len([serial for serial in serials if serial == camera.spec.serial]) == 1
        finally:
            cut.unlink(missing_ok=True)
