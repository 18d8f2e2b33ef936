"""What every reason means, and what a person does about it: for reports and for the documentation.

Links are Markdown's, relative to a page of docs/reference.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from voxgate.runtime.nouns import Reason

LINK = re.compile(r"\s*\[([^]]+)\]\([^)]+\)")


def meaning_of(reason: Reason) -> tuple[str, str]:
    """Its meaning and its remedy, as plain sentences."""
    meaning, remedy = REASONS[reason.value]
    return _plain(meaning), _plain(remedy)


def _plain(text: str) -> str:
    return LINK.sub("", text).replace("`", "")


REASONS: Mapping[str, tuple[str, str]] = {
    "defect": (
        "Voxels over the threshold that touch each other, faces, edges or corners.",
        "Look at the place in the part's frame: `voxgate inspect --volume` writes it. "
        "[Why did 4711 fail?](../how-to/why-did-4711-fail.md)",
    ),
    "no_views": ("Not one view arrived.", "Trigger, cable, the robot's program."),
    "missing_view": (
        "Planned viewpoints did not arrive; the detail names them.",
        "Trigger and program. Does the robot wait at every viewpoint?",
    ),
    "duplicate_view": (
        "Two frames from one viewpoint, or a picture that was sent before: no new exposure.",
        "The robot's program or the recipe's view plan is not this one.",
    ),
    "unplanned_view": (
        "A frame far from every planned viewpoint.",
        "The robot's program or the recipe's view plan is not this one.",
    ),
    "frame_lost": ("A gap in the frame ids.", "Cable, bandwidth, network card."),
    "frame_invalid": (
        "A damaged frame, or one of another size or format.",
        "Cable, bandwidth, camera settings.",
    ),
    "depth_missing": ("The frame came without depth.", "The 3D component must be switched on."),
    "clock_unsynced": (
        "A device clock was stepped, or cannot be trusted yet.",
        "Who sets the clock? The next job is synchronised again. [Time](../explanation/time.md)",
    ),
    "pose_missing": ("No two poses around the exposure.", "The robot's stream: rate, network."),
    "pose_gap": (
        "The two poses around the exposure are too far apart (`sync.max_gap_ms`).",
        "The robot's stream: rate, network.",
    ),
    "pose_invalid": ("A message that is no pose.", "The quaternion's order and length; the units."),
    "pose_order": (
        "`seq` or stamp of a robot pose fell, repeated or jumped; the fault says which.",
        "One program sends poses, counts each once, and is not restarted during a job.",
    ),
    "pose_uncertain": (
        "The camera moved too far within what is not known of time.",
        "Stop to expose, slow down, or give camera and robot one clock (PTP).",
    ),
    "out_of_grid": (
        "Too much was measured outside the volume, or something there scores over the threshold.",
        "Something in the way? The part, its place, the calibration.",
    ),
    "misaligned": (
        "The part stands too far off, higher or lower over its table than the golden one did, or "
        "moved during the scan.",
        "Seat it; is the fixture clean? If it is, the part is of another height.",
    ),
    "alignment_failed": ("The part was not recognised.", "Is it this recipe's part? Seat it."),
    "views_disagree": (
        "One view alone says a defect of a place that others see as well and say nothing of, or a "
        "speck stays at one pixel of three pictures.",
        "Dust, a drop, a reflection? Clean part and lens and inspect again; a mark stays.",
    ),
    "odd": (
        "A part of the tray differs from its neighbours.",
        "The instances say which, and where.",
    ),
    "too_few_instances": (
        "Fewer than three parts of the tray can be compared: nobody knows which of two is odd.",
        "Put more parts of one kind on the tray.",
    ),
    "instances_touch": ("Parts touch and cannot be told apart.", "Move them apart."),
    "instance_moved": ("A part stood elsewhere in some views.", "Is the tray steady? Look again."),
    "no_majority": (
        "More parts are odd than regular, or as many.",
        "Are they of one kind? By look alone: does the light cast hard shadows?",
    ),
    "turned_over": ("A part lies on its other side, or is another one.", "Turn it; look again."),
    "coverage": (
        "Expected surface that no view has seen.",
        "Something in the way, a view too few, a mirror where the sensor is blind.",
    ),
    "calibration_drift": (
        "The views agree only if the camera sits elsewhere on the robot, or beside its 3D sensor.",
        "Bumped? Loose? `voxgate calib verify` the scan, then `voxgate calib handeye` or `sensor`. "
        "[Calibrate](../how-to/calibrate.md)",
    ),
    "score_invalid": (
        "The model gave a score that is no finite number.",
        "Export the recipe again; the log has the engine's words.",
    ),
    "engine_failed": ("The model failed.", "The log has the engine's words; then `reset`."),
    "camera_lost": (
        "The camera's process died, hung or fell silent; it was replaced.",
        "Power and network of the camera; the service's log says when.",
    ),
    "queue_overflow": (
        "The box was too slow for the robot.",
        "`timing_ms` says which stage; power mode, other programs on the box.",
    ),
    "journal_failed": (
        "The verdict could not be written before it was sent.",
        "Disk full or read-only: make room, then `reset`.",
    ),
    "deadline": (
        "The verdict did not come within `job.deadline_ms`.",
        "`timing_ms` says which stage; did the robot say `stop_job`?",
    ),
    "aborted": ("The robot gave the job up.", "Inspect the part again."),
    "shutdown": ("The service was stopped during the job.", "Inspect the part again."),
    "crashed": ("The service died during the job.", "Inspect the part again; the log says why."),
    "not_decided": (
        "The job ended without being finished, or was only recorded (`voxgate record`).",
        "Inspect the part again.",
    ),
}
