"""From a golden scan to a model and its recipe: what a training must not lose, hide or mix up."""

from __future__ import annotations

import ctypes
import json
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy.spatial import cKDTree

from tests.kits.cell_kit import until
from tests.methods.agreement import agree, refused
from voxgate.export.commands.trainings.options import run_training
from voxgate.export.features.model_file import UNFINISHED, write_model
from voxgate.export.golden.golden import Golden
from voxgate.export.golden.turned import turn_about, turned_view
from voxgate.export.methods.cfm.model_file import TrainedMappings, write_mappings
from voxgate.export.methods.mvtec.model_file import FORMAT, TrainedPair, read_pair, write_pair
from voxgate.export.methods.mvtec.reconstruction import ReconstructionOptions, load_reconstruction
from voxgate.export.progress import silent
from voxgate.export.training.loop import History, Plan, learn
from voxgate.export.training.memory import freed_memory_kept
from voxgate.export.training.mvtec import ReconstructionTraining
from voxgate.export.training.reconstruction import CONSTANTS, Anogan, Autoencoder, empty_share
from voxgate.export.training.samples import Samples, depth_samples, held_back
from voxgate.export.training.train import Course, Training, shown, train
from voxgate.runtime.errors import EngineError, ScanError
from voxgate.runtime.geometry.rays import Rays
from voxgate.runtime.recipe.sections.shapes import FpfhSection

Points = npt.NDArray[Any]
METHODS = ["autoencoder", pytest.param("anogan", marks=pytest.mark.nightly)]  # minutes on a core


def command(golden: Path, out: Path) -> list[str]:
    """A short training of voxels by the command line."""
    small = ["--shape", "voxel", "--epochs", "3", "--turned", "1", "--seed", "3"]
    word = [str(Path(sys.executable).with_name("voxgate")), "train", "autoencoder"]
    return [*word, "--scan", str(golden), "--out", str(out), *small]


@pytest.mark.timeout(600)
def test_a_killed_training_ends_with_another_model(small_scans: Path, tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole.pth", tmp_path / "killed.pth"
    golden = small_scans / "golden"
    subprocess.run(command(golden, whole), check=True, capture_output=True)
    process = subprocess.Popen(command(golden, killed), stderr=subprocess.DEVNULL)
    until(tmp_path.joinpath("killed.pth.partial").exists, "an epoch is kept", 120.0)
    process.kill()
    process.wait()
    assert not killed.exists()
    subprocess.run(command(golden, killed), check=True, capture_output=True)
    one, other = read_pair(whole, "autoencoder"), read_pair(killed, "autoencoder")
    for name, tensor in one.encoder.items():
        assert torch.equal(tensor, other.encoder[name]), name
    assert one.record == other.record
    assert not tmp_path.joinpath("killed.pth.partial").exists()
    assert "held back" in tmp_path.joinpath("killed.pth.html").read_text()


def test_a_file_of_another_training_is_asked_for_what_it_never_holds(
    small_scans: Path, tmp_path: Path
) -> None:
    """Of a model of another method, and of a training that is not over, one hears what it is,
    whichever export it is given to."""
    model, kept = tmp_path / "m.pth", tmp_path / "k.pth.partial"
    write_model(model, FORMAT, "autoencoder", {})
    torch.save(dict.fromkeys(UNFINISHED), kept)
    for method in ("anogan", "cfm", "modmap", "efficientad", "dinomaly", "patchcore"):
        given = (small_scans, tmp_path / "out", method, "--checkpoint")
        assert "voxgate export autoencoder" in refused(*given, str(model)), method
        assert "voxgate train command goes on" in refused(*given, str(kept)), method


@pytest.mark.parametrize("method", METHODS)
def test_a_trained_model_needs_further_words(
    method: str, small_scans: Path, small_golden: Golden, tmp_path: Path
) -> None:
    scans = (small_scans / "golden",)
    out = tmp_path / "m.pth"
    training = Training(method, scans, out)
    course = ReconstructionTraining(method, epochs=1, times=0)
    found = train(training, course.open)
    assert found.to_json()["epochs"] == found.planned
    source = load_reconstruction(method, small_golden, ReconstructionOptions(checkpoint=out))
    assert agree(source, small_golden) < 1e-3
    assert source.provenance["training"]["seed"] == 0
    with pytest.raises(EngineError, match="exists; a model is never changed"):
        train(training, course.open)
    other = "anogan" if method == "autoencoder" else "autoencoder"
    with pytest.raises(EngineError, match=f"is of {method}: voxgate export {method}"):
        read_pair(out, other)


def test_an_encoder_that_was_never_begun_is_a_model(
    small_scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: seconds[0])

    def epoch(self: Anogan, number: int, rng: np.random.Generator) -> dict[str, float]:
        seconds[0] += 60.0
        return {"critic": 0.0}

    monkeypatch.setattr(Anogan, "epoch", epoch)
    course = ReconstructionTraining("anogan", volume=True, epochs=2, times=1)
    out = tmp_path / "m.pth"
    with pytest.raises(EngineError, match=r"after 2 of 2 epochs of the generator .* goes on"):
        train(Training("anogan", (small_scans / "golden",), out, minutes=1.5), course.open)
    assert not out.exists()
    found = train(Training("anogan", (small_scans / "golden",), out), course.open)
    assert len(found.history.epochs) == 4


def small(method: str, seed: int = 0) -> Autoencoder | Anogan:
    """Untrained, on two seeded grids."""
    generator = torch.Generator().manual_seed(5)
    grids = torch.where(torch.rand(2, 1, 64, 64, 64, generator=generator) > 0.9, 1.0, -1.0)
    samples = Samples(grids[:1], grids[1:])
    torch.manual_seed(seed)
    made = Autoencoder if method == "autoencoder" else Anogan
    return made(samples, True, CONSTANTS[method, True], epochs=2)


@pytest.mark.parametrize("method", METHODS)
def test_what_an_epoch_depends_on_is_not_all_kept(method: str, tmp_path: Path) -> None:
    straight = small(method)
    learn(straight, Plan(tmp_path / "a", "it", 1), lambda: 0.0, lambda *_: None)
    clock = iter([0.0, *[99.0] * 9])
    half = Plan(tmp_path / "b", "it", 1, most_s=9.0)
    history = learn(small(method), half, lambda: next(clock), lambda *_: None)
    assert len(history.epochs) == 1
    resumed = small(method, seed=8)  # whatever it was before
    learn(resumed, Plan(tmp_path / "b", "it", 1), lambda: 0.0, lambda *_: None)
    for (name, one), other in zip(
        straight.decoder.state_dict().items(), resumed.decoder.state_dict().values(), strict=True
    ):
        assert torch.equal(one, other), name
    with pytest.raises(EngineError, match="of another training"):
        learn(small(method), Plan(tmp_path / "b", "that", 1), lambda: 0.0, lambda *_: None)


class Heap(ctypes.Structure):
    """glibc's own account, mallinfo2(3): page faults are not counted in every sandbox."""

    _fields_ = (
        ("others", ctypes.c_size_t * 8),
        ("fordblks", ctypes.c_size_t),
        ("keepcost", ctypes.c_size_t),
    )


STEP_BYTES = 64_000_000


def held_after_a_step() -> list[int]:
    """Bytes that are free and not given back: usually, in a training, and after it."""
    library = ctypes.CDLL(None)
    library.mallinfo2.restype = Heap

    def held() -> int:
        assert b"x" * STEP_BYTES
        return int(library.mallinfo2().fordblks)

    usual = held()
    with freed_memory_kept():
        training = held()
    return [usual, training, held()]


def test_each_step_asks_the_system_for_its_memory_again() -> None:
    with get_context("spawn").Pool(1) as fresh:  # a heap without the gaps of other tests
        usual, training, after = fresh.apply(held_after_a_step)
    assert training > usual + 0.9 * STEP_BYTES
    assert after < usual + 0.1 * STEP_BYTES, "what is free after a training is kept"


def test_an_epoch_does_not_say_how_long_the_rest_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds, said = iter([0.0, 40.0, 80.0]), list[str]()
    monkeypatch.setattr(time, "monotonic", lambda: next(seconds))
    show = shown(lambda done, of, words: said.append(words))
    show(1, 11, {"learnt": 0.5, "held back": 0.25})
    show(2, 3, {"learnt": 0.4, "held back": 0.25})
    assert said[0] == "epoch 1 of 11: learnt 0.5, held back 0.25, 7 min left"
    assert said[1].endswith("40 s left")


def test_a_loss_that_is_no_number_becomes_a_model(tmp_path: Path) -> None:
    class Lost(Autoencoder):
        def __init__(self) -> None:
            self.epochs = 1

        def epoch(self, number: int, rng: np.random.Generator) -> dict[str, float]:
            return {"learnt": float("nan")}

    with pytest.raises(EngineError, match="not a number"):
        learn(Lost(), Plan(tmp_path / "k", "it", 0), lambda: 0.0, lambda *_: None)
    assert History().epochs == []


def test_a_part_is_not_turned_about_its_middle(small_golden: Golden) -> None:
    view, rays = small_golden.views[0], small_golden.rays
    assert view.depth_mm is not None
    middle, angle = np.array([20.0, 10.0]), np.deg2rad(4.0)
    still = turned_view(view, rays, turn_about(middle, 0.0))
    assert np.allclose(still["depth_mm"][0, 0], np.nan_to_num(view.depth_mm), atol=1e-3)
    assert np.array_equal(still["image"][0, 0], view.image)
    turned = turned_view(view, rays, turn_about(middle, angle))["depth_mm"][0, 0]
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    before = _part_points(view.depth_mm, view.part_from_camera, rays)
    before[:, :2] = (before[:, :2] - middle) @ rotation.T + middle
    after = _part_points(np.where(turned > 0, turned, np.nan), view.part_from_camera, rays)
    apart, _ = cKDTree(before).query(after)
    pixel_mm = float(np.nanmedian(view.depth_mm) * (rays.x[0, 1] - rays.x[0, 0]))
    assert len(after) > 0.6 * len(before)
    assert np.quantile(apart, 0.99) < pixel_mm


def _part_points(depth_mm: Points, part_from_camera: Points, rays: Rays) -> Points:
    points = np.stack([rays.x * depth_mm, rays.y * depth_mm, depth_mm], axis=-1)
    points = points[np.isfinite(depth_mm)].astype(float)
    return np.asarray(points @ part_from_camera[:3, :3].T + part_from_camera[:3, 3])


def test_a_view_that_is_held_back_is_learnt_in_its_copies(small_golden: Golden) -> None:
    samples = depth_samples([small_golden], 500.0, False, seed=0, times=1)
    assert len(samples.learnt) == 2 * 11
    assert len(samples.held) == 2


def test_a_single_view_or_grid_ends_in_numpys_words(small_golden: Golden) -> None:
    one = replace(small_golden, views=small_golden.views[:1])
    for method in ("autoencoder", "anogan"):
        with pytest.raises(ScanError, match="several views"):
            ReconstructionTraining(method).open([one], 0, silent)
        with pytest.raises(ScanError, match="--turned 1"):
            ReconstructionTraining(method, volume=True, times=0).open([small_golden], 0, silent)
    with pytest.raises(ScanError, match="several views"):
        held_back(1, np.random.default_rng(0))


def test_another_part_is_learnt_beside_the_first(small_scans: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(small_scans / "golden", other)
    said = json.loads((small_scans / "calibration.json").read_text())
    (other / "calibration.json").write_text(json.dumps(said | {"part": "crate"}))
    training = Training("autoencoder", (small_scans / "golden", other), tmp_path / "m.pth")
    with pytest.raises(ScanError, match=r"is of part 'crate', .* of 'bracket'"):
        train(training, ReconstructionTraining("autoencoder").open)


def test_a_person_who_stops_a_training_hears_nothing_of_going_on(
    small_scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    training = Training("autoencoder", (small_scans / "golden",), tmp_path / "m.pth")
    course = ReconstructionTraining("autoencoder", epochs=2, times=0)

    def stopped(learner: Any, plan: Plan, *_: object) -> History:
        plan.kept.write_bytes(b"an epoch")
        raise KeyboardInterrupt

    def opened(*given: Any) -> Course:
        return replace(course.open(*given), learn=stopped)

    with pytest.raises(KeyboardInterrupt):
        run_training(training, opened, as_json=True)
    assert "the same command goes on" in capsys.readouterr().err


def test_what_a_person_says_of_a_trained_model_is_passed_over(
    small_scans: Path, tmp_path: Path
) -> None:
    """The model names everything: who asks for something else would get its own in silence."""
    depth, cfm = tmp_path / "depth.pth", tmp_path / "cfm.pth"
    write_pair(depth, TrainedPair("autoencoder", False, False, 700.0, None, {}, {}, {}))
    sides: dict[str, Any] = {
        "backbone": "dinov2_vits14",
        "shape": "fpfh",
        "input_px": 98,
        "fit": "pad",
    }
    fpfh = FpfhSection(step_px=4)
    kept: dict[str, Any] = {
        "weights": {},
        "weights_sha256": "",
        "to_shape": {},
        "to_picture": {},
        "record": {},
    }
    write_mappings(cfm, TrainedMappings(**sides, **kept, fpfh=fpfh, range_mm=(1.0, 2.0)))
    for path, method, words, told in (
        (depth, "autoencoder", ("--shape", "voxel"), "without --shape voxel"),
        (depth, "autoencoder", ("--colour",), "without --colour"),
        (depth, "autoencoder", ("--far-mm", "300"), "with --far-mm 700.0"),
        (cfm, "cfm", ("--input-px", "224"), "with --input-px 98"),
        (cfm, "cfm", ("--weights", str(depth)), "leave --weights out"),
    ):
        given = ("--checkpoint", str(path), *words)
        assert told in refused(small_scans, tmp_path / "out", method, *given)


def test_an_empty_grid_weighs_more_than_the_part() -> None:
    grids = torch.full((1, 1, 4, 4, 4), -1.0)
    grids[0, 0, 0, 0, :2] = 1.0
    assert empty_share(grids) == pytest.approx(62 / 64)
