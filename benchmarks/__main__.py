"""`python -m voxgate.benchmarks [NAME ...]`: every figure or the named ones, and the machine."""

from __future__ import annotations

import importlib
import os
import sys
from dataclasses import dataclass

from rich.console import Console

from voxgate.benchmarks.machine import machine
from voxgate.runtime.errors import VoxGateError


@dataclass(frozen=True, slots=True)
class Suite:
    """One figure: the module below this package whose `main` measures it, and what it says.

    quick: whether its `main` has a short form, `main(quick=True)`.
    """

    module: str
    about: str
    quick: bool = False


SUITES = {
    "fusion": Suite(
        "speed.fusion",
        "lift, fuse, register, segment: ms per view against numpy, memory of a fine grid",
    ),
    "resolution": Suite(
        "speed.resolution",
        "one part at 400 x 300 to 4096 x 3000: the same verdicts, seconds and memory of each",
    ),
    "detection": Suite(
        "quality.detection",
        "I-AUROC, V-AUPRO@1% and the shipped threshold on the public scans",
    ),
    "rig": Suite(
        "quality.rig",
        "a sensor beside the camera (VOXGATE_RIG) against aligned depth; a sensor that moved",
    ),
    "limits": Suite(
        "limits.limits",
        "how small a defect is still found, how much a good part may vary, on the public scans",
        quick=True,
    ),
    "segad": Suite(
        "quality.segad",
        "a classifier on one detector, on all of them, by every forest, on the public scans",
    ),
    "scenes": Suite(
        "quality.scenes",
        "trays of parts with their truth (VOXGATE_SCENES): right, AUC, box IoU, seconds",
    ),
    "calibration": Suite(
        "calibration.accuracy",
        "lens and hand-eye against the truth, and whether their uncertainty is honest",
    ),
    "flying": Suite(
        "line.flying",
        "views of a robot that does not stop: error, claim and refusal by kind of clock",
    ),
    "camera": Suite(
        "line.camera",
        "12 Mpx Mono8 at 10 frames/s through the virtual GenICam camera, without loss",
    ),
    "evaluation": Suite(
        "quality.evaluation",
        "the exact V-AUPRO of a volume of SiM3D's size against a threshold at a time",
    ),
    "evidence": Suite(
        "line.evidence",
        "verdict latency with recordings on and off, MB and seconds of each",
    ),
    "floods": Suite(
        "line.floods",
        "heartbeat, verdict and memory while a peer floods, and at 960 denied handshakes a second",
    ),
    "page": Suite(
        "line.page",
        "the page: first paint with 100,000 jobs, a job's 3D view, what it costs, ten viewers",
    ),
    "switch": Suite(
        "line.switch",
        "another recipe beside live jobs: what it costs the verdict, how long a change takes",
    ),
    "live": Suite(
        "line.live",
        "last exposure to verdict over real sockets, idle CPU, start to READY, memory",
    ),
}
# for a night
LONG_SUITES = {
    "located": Suite(
        "quality.located",
        "pictures without a robot, located on the golden scan: figures of one in three views",
    ),
    "made_up": Suite(
        "made_up.made_up",
        "two rendered part types of another kind, on the public cameras",
    ),
    "large_rig": Suite(
        "speed.large_rig",
        "36 views of 12 Mpx and a sensor of 2 Mpx (VOXGATE_RIG): memory, recording, 4 views/s",
    ),
    "soak": Suite(
        "line.soak",
        "2,000 jobs with random faults: every one accounted for, memory and descriptors flat",
    ),
}
# with OpenCV 4: `make bench-opencv4`
OPENCV4_SUITES = {
    "handeye_methods": Suite(
        "calibration.handeye_methods",
        "hand-eye calibration against OpenCV 4's five methods, 200 cells",
    ),
    "rendered": Suite(
        "calibration.rendered",
        "the whole calibration against OpenCV 4's on rendered pictures with faults",
    ),
}
# estimates everywhere, measured where a GPU is: `make bench-gpu`
GPU_SUITES = {
    "gpu": Suite(
        "speed.gpu",
        "the GPU path stage by stage: bytes, estimated and measured ms",
    )
}
# in the workstation's environment: `make bench-export`
WORKSTATION_SUITES = {
    "exporters": Suite(
        "workstation.exporters",
        "every method from its published form to verdicts: parity, ms per view, size",
        quick=True,
    ),
    "published": Suite(
        "workstation.published",
        "models of the papers' sizes at 12 Mpx: memory, and time to build them for a card",
    ),
    "last_view": Suite(
        "workstation.last_view",
        "what is left after the last view where views are scored together: CPU ms",
    ),
    "learnt": Suite(
        "workstation.learnt",
        "autoencoders and f-AnoGANs of one public golden scan beside the reference, figures",
    ),
    "knn": Suite(
        "workstation.knn",
        "nearest neighbours in the graph against faiss, coreset of a golden scan",
    ),
    "fpfh": Suite(
        "workstation.fpfh",
        "shape descriptors of one view, ms",
    ),
}


def run(names: list[str], quick: bool = False) -> None:
    """Run the named suites in order, or the box's; quick: in the short form of those that have one.

    Raises VoxGateError for a name that is none.
    """
    suites = SUITES | LONG_SUITES | GPU_SUITES | WORKSTATION_SUITES | OPENCV4_SUITES
    if unknown := set(names) - set(suites):
        raise VoxGateError(f"no suite {sorted(unknown)}, choose from {', '.join(suites)}")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # a box that is installed has it compiled
    console = Console()
    console.print(machine(), highlight=False)
    for name in names or SUITES:
        console.rule(f"{name}: {suites[name].about}")
        main = importlib.import_module(f"voxgate.benchmarks.{suites[name].module}").main
        main(quick=True) if quick and suites[name].quick else main()


if __name__ == "__main__":
    run(sys.argv[1:])
