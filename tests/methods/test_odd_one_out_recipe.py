"""A recipe of Odd-One-Out says something else than its network, or passes what it does not know."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from typer.testing import CliRunner

from tests.kits.published_toys import write_split
from tests.kits.tray_of_parts import Tray, regular, write
from voxgate.export.evaluation.run.evaluate import Plan, evaluate
from voxgate.export.graph.real_tensorrt import CARDS, builds
from voxgate.export.methods.odd_one_out.checkpoint import by_chance, read_trained, write_trained
from voxgate.export.methods.odd_one_out.constants import TOY
from voxgate.export.packing.package import digests
from voxgate.runtime.cli import app
from voxgate.runtime.errors import EngineError, VoxGateError
from voxgate.runtime.nouns import Outcome, Reason
from voxgate.runtime.offline.inspect_scan import inspect_folder
from voxgate.runtime.recipe.recipe import Recipe


def voxgate(*words: object) -> str:
    done = CliRunner().invoke(app, ["export", "odd-one-out", *map(str, words)])
    assert done.exit_code == 0, done.output + str(done.exception)
    return done.stdout


def refused(*words: object) -> str:
    done = CliRunner().invoke(app, ["export", "odd-one-out", *map(str, words)])
    assert isinstance(done.exception, VoxGateError), done.output
    return str(done.exception)


@pytest.fixture(scope="module")
def tray(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(Tray(regular(3), views=8), tmp_path_factory.mktemp("trays") / "good")


@pytest.fixture(scope="module")
def recipe(tray: Path) -> Path:
    out = tray.parent / "recipe"
    words = ("--tray", tray, "--out", out, "--seeded", "toy", "--grey", "--name", "toys", "--json")
    said = json.loads(voxgate(*words))
    assert [row["relative_error"] <= 1e-4 for row in said["parity"]] == [True, True]
    assert said["parity"][1]["instances"] == 3
    assert said["outcome"] == "INDETERMINATE"
    return out


def test_weights_drawn_by_chance_pass_a_tray(tray: Path, recipe: Path) -> None:
    found = inspect_folder(tray, recipe)
    assert found.verdict.outcome is Outcome.INDETERMINATE
    assert Reason.SCORE_INVALID in found.verdict.reasons
    assert found.message.backend == "onnxruntime-cpu"
    assert len(found.message.instances) == 3
    assert found.message.recipe == "toys/1"


def test_tensorrt_builds_one_of_the_two_graphs_only(recipe: Path) -> None:
    pytest.importorskip("tensorrt_rtx_bindings", reason="no wheel for this Python or processor")
    models = Recipe.load(recipe).models
    assert [model.model_name for model in models] == ["", "instances"]
    for model in models:
        for sm in CARDS:
            builds(onnx.load_from_string(model.model), model.model_label, sm)


def test_a_network_is_evaluated_by_other_boxes_than_its_density_gives(
    recipe: Path, tmp_path: Path
) -> None:
    """Weights drawn by chance find boxes where nothing stands: none of them is an object."""
    toys = write_split(tmp_path / "toys", {"test": 2}, views=8)
    done = evaluate(Plan(source=recipe, folder=toys, store=tmp_path / "store"))
    assert not done.failed
    assert done.types[0].figures["accuracy"] == 0
    for record in done.records:
        arrays = done.store.arrays(record.name)
        assert len(arrays["odd"]) == 4
        assert len(arrays["found"]) == len(arrays["score"])
        assert ((arrays["score"] >= 0) & (arrays["score"] <= 1)).all()


@pytest.mark.parametrize("probe", ["probe.npz", "probe.instances.npz"])
def test_a_graph_that_says_something_else_than_at_export_serves(
    probe: str, tray: Path, recipe: Path, tmp_path: Path
) -> None:
    spoilt = shutil.copytree(recipe, tmp_path / "spoilt")
    arrays = dict(np.load(io.BytesIO((spoilt / probe).read_bytes())))
    arrays["0.score"] = arrays["0.score"] + np.float32(0.1)
    stored = io.BytesIO()
    np.savez(stored, allow_pickle=False, **arrays)
    (spoilt / probe).write_bytes(stored.getvalue())
    manifest = json.loads((spoilt / "manifest.json").read_text())
    manifest["files"] |= digests({probe: stored.getvalue()})
    (spoilt / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(EngineError, match=r"is off by 0\.1"):
        inspect_folder(tray, spoilt)


def test_grey_pictures_are_taken_for_colour(tray: Path, tmp_path: Path) -> None:
    out = tmp_path / "r"
    assert "--grey" in refused("--tray", tray, "--out", out, "--seeded", "toy")
    assert not out.exists()


def test_a_recipe_needs_no_weights(tray: Path, tmp_path: Path) -> None:
    given = ("--tray", tray, "--out", tmp_path / "r")
    assert "either --checkpoint or --seeded" in refused(*given)
    assert "either --checkpoint or --seeded" in refused(
        *given, "--seeded", "toy", "--checkpoint", tmp_path / "c.pth"
    )


def test_another_network_comes_out_of_a_file(tmp_path: Path) -> None:
    made = by_chance(TOY, 3).network
    write_trained(tmp_path / "c.pth", made, {"epochs": 2})
    found = read_trained(tmp_path / "c.pth")
    assert not found.untrained
    assert found.record["epochs"] == 2
    for name, tensor in made.state_dict().items():
        assert torch.equal(tensor, found.network.state_dict()[name]), name


def test_other_weights_are_taken_for_a_checkpoint(tmp_path: Path) -> None:
    torch.save({"state_dict": {"conv1.weight": torch.zeros(3)}}, tmp_path / "c.pth")
    with pytest.raises(EngineError, match="is not a checkpoint of voxgate train odd-one-out"):
        read_trained(tmp_path / "c.pth")
