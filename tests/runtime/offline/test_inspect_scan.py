"""`voxgate inspect`: the right exit code, one JSON object, one clear line for wrong input."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.kits.small_scan import px, small_bracket
from voxgate.runtime import cli
from voxgate.runtime.config.cell import load_cell
from voxgate.runtime.config.settings import Settings
from voxgate.runtime.engines.engine import Engine, open_engine
from voxgate.runtime.errors import EngineError, RecipeError
from voxgate.runtime.inspection import inspector, open_engines
from voxgate.runtime.offline import inspect_scan as offline
from voxgate.runtime.plans.plan_cache import PlanCache
from voxgate.runtime.recipe.recipe import Recipe

pytestmark = pytest.mark.slow

TRUTH = ("truth.json", "gt.npz", "surface.npz", "truth_masks")


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """The good scan without its truth, with its calibration beside it, free to be broken."""
    part = small_bracket()
    shutil.copy(part / "calibration.json", tmp_path)
    shutil.copy(part / "grid.json", tmp_path)
    without = shutil.ignore_patterns(*TRUTH)
    return Path(shutil.copytree(part / "good", tmp_path / "scan", ignore=without))


def _voxgate(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object
) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["voxgate", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


def test_a_good_part_is_exit_0_and_its_volume_can_be_read(
    small_recipe: Path,
    scan: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    volume = tmp_path / "volume.npz"
    code, out, _ = _voxgate(
        monkeypatch,
        capsys,
        *("inspect", scan, "--recipe", small_recipe, "--volume", volume, "--json"),
    )
    verdict = json.loads(out)
    assert (code, verdict["outcome"], verdict["reasons"]) == (0, "PASS", [])
    assert verdict["is_simulated"]
    with np.load(volume) as file:
        assert file["ijk"].dtype == np.int32
        assert file["ijk"].shape == (len(file["score"]), 3)
        assert file["score"].dtype == np.float32
        assert file["score"].max() == pytest.approx(verdict["score"])
        assert len(file["hits"]) == len(file["score"])
        assert file["origin_mm"].shape == (3,)
        assert float(file["voxel_mm"]) == 2.0


def test_a_bad_part_is_exit_1_and_its_defects_lie_where_the_truth_says(
    small_recipe: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = _voxgate(
        monkeypatch, capsys, "inspect", small_bracket() / "bad", "--recipe", small_recipe, "--json"
    )
    verdict = json.loads(out)
    assert (code, verdict["outcome"]) == (1, "FAIL")
    truth = json.loads((small_bracket() / "bad" / "truth.json").read_text())["defects"]
    found = np.array([defect["centroid_part_mm"] for defect in verdict["defects"]])
    for defect in truth:
        distance_mm = np.linalg.norm(found - np.array(defect["centre_mm"]), axis=1).min()
        assert distance_mm < 8.0, defect["type"]  # centroid of voxels against centre of the box


def test_the_same_scan_gives_the_same_numbers_again(
    small_recipe: Path,
    scan: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ("inspect", scan, "--recipe", small_recipe, "--json")
    verdicts = [json.loads(_voxgate(monkeypatch, capsys, *command)[1]) for _ in range(2)]
    for verdict in verdicts:
        del verdict["created_utc"], verdict["timing_ms"]
    assert verdicts[0] == verdicts[1]


def test_a_scan_that_lacks_a_view_is_exit_3_and_names_it(
    small_recipe: Path,
    scan: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _drop_line(scan / "frames.jsonl", 4)
    code, out, _ = _voxgate(
        monkeypatch, capsys, "inspect", scan, "--recipe", small_recipe, "--json"
    )
    verdict = json.loads(out)
    assert (code, verdict["outcome"]) == (3, "INDETERMINATE")
    reasons = {reason["reason"]: reason["detail"] for reason in verdict["reasons"]}
    assert "1 of 12 views did not come: 4" in reasons["missing_view"]
    assert "1 frames lost between frame ids 2003 and 2005" in reasons["frame_lost"]


def test_a_gap_in_the_frame_ids_is_not_pass_even_if_every_view_came(
    small_recipe: Path,
    scan: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _edit_line(scan / "frames.jsonl", 11, frame_id=2013)
    code, out, _ = _voxgate(
        monkeypatch, capsys, "inspect", scan, "--recipe", small_recipe, "--json"
    )
    assert code == 3
    assert [reason["reason"] for reason in json.loads(out)["reasons"]] == ["frame_lost"]


# --- by a cell's YAML ----------------------------------------------------------------------------


def _cell(scan: Path, **sections: object) -> Path:
    """A cell's YAML (JSON is YAML) beside the scan, with `sections` of it."""
    scan.with_name("recipes").mkdir()
    port = "tcp://127.0.0.1:{}".format
    content = {
        "schema_version": 1,
        "cell": "virtual-1",
        "is_simulated": True,
        "calibration": "calibration.json",
        "recipes": {"folder": "recipes", "allow_unsigned": True},
        "cameras": [{"name": "cam0", "source": "network", "endpoint": port(5553)}],
        "sockets": {"poses": port(5550), "commands": port(5551), "verdicts": port(5552)},
        "journal": {"path": "journal.sqlite"},
    }
    file = scan.with_name("cell.yaml")
    file.write_text(json.dumps(content | sections))
    return file


@pytest.mark.parametrize(
    ("sections", "reason"),
    [
        ({"limits": {"shift_max_mm": 0.1}}, "misaligned"),
        ({"sync": {"max_gap_ms": 1.0}}, "pose_gap"),
    ],
)
def test_the_limits_of_a_cell_hold_offline_too(
    sections: dict[str, object],
    reason: str,
    small_recipe: Path,
    scan: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ("inspect", scan, "--recipe", small_recipe, "--config", _cell(scan, **sections))
    code, out, _ = _voxgate(monkeypatch, capsys, *command, "--json")
    assert code == 3
    assert reason in {found["reason"] for found in json.loads(out)["reasons"]}


def test_without_a_cell_the_defaults_of_its_yaml_hold(scan: Path) -> None:
    assert Settings.from_config(load_cell(_cell(scan)).config) == Settings()


def test_the_engine_of_a_cell_is_asked_for_offline_too(scan: Path) -> None:
    file = _cell(scan, engine={"backend": "onnxruntime-tensorrt", "threads": 5})
    settings = Settings.from_config(load_cell(file).config)
    assert (settings.backend, settings.threads) == ("onnxruntime-tensorrt", 5)


def test_a_cell_that_would_not_be_served_is_refused_offline_too(
    small_recipe: Path,
    scan: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = _cell(scan, limits={"shift_max_mm": -1})
    command = ("inspect", scan, "--recipe", small_recipe, "--config", file, "--json")
    code, out, err = _voxgate(monkeypatch, capsys, *command)
    assert code == 2
    assert "cell.yaml" in err
    assert "shift_max_mm" in err
    assert set(json.loads(out)) == {"error"}


def test_no_engine_stays_open_when_the_inspector_refuses(
    small_recipe: Path, scan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Engine] = []

    def remembered(recipe: Recipe, backend: str, threads: int, plans: PlanCache | None) -> Engine:
        opened.append(open_engine(recipe, backend, threads, plans))
        return opened[-1]

    def refuse(*arguments: object, **named: object) -> None:
        raise RecipeError("no surface is expected: export it again")

    monkeypatch.setattr(open_engines, "open_engine", remembered)
    monkeypatch.setattr(inspector.Inspector, "__init__", refuse)
    with pytest.raises(RecipeError, match="export it again"):
        offline.inspect_folder(scan, small_recipe)
    (engine,) = opened
    with pytest.raises(EngineError, match="closed"):
        engine.run({})


# --- wrong input: one line, exit 2, nothing on stdout but one JSON object ------------------------


def _drop_line(path: Path, number: int) -> None:
    lines = path.read_text().splitlines()
    del lines[number]
    path.write_text("\n".join(lines) + "\n")


def _edit_line(path: Path, number: int, **changes: Any) -> None:
    lines = path.read_text().splitlines()
    lines[number] = json.dumps(json.loads(lines[number]) | changes)
    path.write_text("\n".join(lines) + "\n")


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _swap_lines(path: Path) -> None:
    lines = path.read_text().splitlines()
    lines[2], lines[3] = lines[3], lines[2]
    path.write_text("\n".join(lines) + "\n")


def _edit_json(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "truncated image": (lambda s: _truncate(s / "images/03.jpg"), "images/03.jpg"),
    "truncated depth": (lambda s: _truncate(s / "depth/03.png"), "depth/03.png"),
    "empty image": (lambda s: (s / "images/00.jpg").write_bytes(b""), "images/00.jpg"),
    "depth for image": (lambda s: shutil.copy(s / "depth/01.png", s / "images/01.jpg"), "01.jpg"),
    "missing image": (lambda s: (s / "images/05.jpg").unlink(), "images/05.jpg"),
    "missing frames": (lambda s: (s / "frames.jsonl").unlink(), "frames.jsonl"),
    "missing poses": (lambda s: (s / "robot_poses.jsonl").unlink(), "robot_poses.jsonl"),
    "empty scan": (lambda s: (s / "frames.jsonl").write_text(""), "frames.jsonl"),
    "NaN pose": (
        lambda s: _edit_line(s / "robot_poses.jsonl", 7, p=[float("nan"), 0, 0]),
        "robot_poses.jsonl:8",
    ),
    "non-unit quaternion": (
        lambda s: _edit_line(s / "robot_poses.jsonl", 7, q=[1, 1, 0, 0]),
        "robot_poses.jsonl:8",
    ),
    "frames out of order": (lambda s: _swap_lines(s / "frames.jsonl"), "frames.jsonl:4"),
    "poses out of order": (lambda s: _swap_lines(s / "robot_poses.jsonl"), "robot_poses.jsonl:4"),
    "path that leaves the scan": (
        lambda s: _edit_line(s / "frames.jsonl", 1, image="../../secret.jpg"),
        "frames.jsonl:2",
    ),
    "missing calibration": (lambda s: (s.parent / "calibration.json").unlink(), "calibration.json"),
    "calibration of another schema": (
        lambda s: _edit_json(s.parent / "calibration.json", schema_version=9),
        "schema_version 9",
    ),
    "calibration of another part": (
        lambda s: _edit_json(s.parent / "calibration.json", part="gear"),
        "'gear'",
    ),
    "other distortion": (
        lambda s: _edit_json(s.parent / "calibration.json", distortion=[0, 0, 0, 0, 0]),
        "another calibration",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_wrong_input_is_one_line_and_exit_2(
    case: str,
    small_recipe: Path,
    scan: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    spoil, told = BROKEN[case]
    spoil(scan)
    code, out, err = _voxgate(
        monkeypatch, capsys, "inspect", scan, "--recipe", small_recipe, "--json"
    )
    assert code == 2
    assert told in err
    assert err.startswith("voxgate: ")
    assert err.count("\n") == 1
    assert set(json.loads(out)) == {"error"}


def test_a_corrupted_model_is_refused_before_anything_is_inspected(
    small_recipe: Path,
    scan: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    recipe = Path(shutil.copytree(small_recipe, tmp_path / "recipe"))
    _truncate(recipe / "model.onnx")
    code, out, err = _voxgate(monkeypatch, capsys, "inspect", scan, "--recipe", recipe)
    assert (code, out) == (2, "")
    assert "model.onnx: differs from the manifest" in err


def test_a_volume_that_cannot_be_written_is_said_and_not_a_verdict(
    small_recipe: Path,
    scan: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    target = tmp_path / "nowhere" / "volume.npz"
    code, out, err = _voxgate(
        monkeypatch, capsys, "inspect", scan, "--recipe", small_recipe, "--volume", target
    )
    assert (code, out) == (2, "")
    assert "volume.npz: the volume cannot be written" in err


AUDITED = """
import sys
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0]))
    if event in ("open", "os.listdir", "os.scandir") else None)
from voxgate.runtime import cli
sys.argv = ["voxgate", "inspect", sys.argv[1], "--recipe", sys.argv[2]]
try:
    cli.main()
except SystemExit as ended:
    code = ended.code
truth = ("truth.json", "gt.npz", "surface.npz", "truth_masks")
print([name for name in opened if name.endswith(truth) or name.rstrip("/") == sys.argv[1]])
sys.exit(code)
"""


@pytest.mark.nightly  # by day: scans/test_scan.py
def test_the_truth_of_a_scan_is_never_opened_nor_its_folder_listed(small_recipe: Path) -> None:
    command = [sys.executable, "-c", AUDITED, str(small_bracket() / "bad"), str(small_recipe)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 1, done.stderr  # the bad bracket
    assert done.stdout.splitlines()[-1] == "[]"


def _without_return(path: Path) -> None:
    depth = np.asarray(cv2.imread(str(path), cv2.IMREAD_UNCHANGED))
    cv2.imwrite(str(path), np.zeros_like(depth))


def test_a_view_that_came_but_saw_nothing_is_not_pass(
    small_recipe: Path,
    scan: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _without_return(scan / "depth/05.png")
    code, out, _ = _voxgate(
        monkeypatch, capsys, "inspect", scan, "--recipe", small_recipe, "--json"
    )
    assert code == 3
    reasons = {reason["reason"]: reason["detail"] for reason in json.loads(out)["reasons"]}
    assert "view 5" in reasons["depth_missing"]


def test_ink_that_swallows_the_projector_is_still_a_defect(
    small_recipe: Path,
    scan: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A black blot without depth on the wall that view 7 looks at: the picture must speak."""
    image = cv2.imread(str(scan / "images/07.jpg"), cv2.IMREAD_GRAYSCALE)
    depth = cv2.imread(str(scan / "depth/07.png"), cv2.IMREAD_UNCHANGED)
    assert image is not None
    assert depth is not None
    blot = px(300, 320), px(400, 420)
    image[blot], depth[blot] = 0, 0
    cv2.imwrite(str(scan / "images/07.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, 95])
    cv2.imwrite(str(scan / "depth/07.png"), depth)
    code, out, _ = _voxgate(
        monkeypatch, capsys, "inspect", scan, "--recipe", small_recipe, "--json"
    )
    verdict = json.loads(out)
    told = {reason["reason"] for reason in verdict["reasons"]}
    assert "defect" in told
    if "views_disagree" in told:  # where pixels are fine, other views would show ink: dust?
        assert (code, verdict["outcome"]) == (3, "INDETERMINATE")
    else:
        assert (code, verdict["outcome"]) == (1, "FAIL")
