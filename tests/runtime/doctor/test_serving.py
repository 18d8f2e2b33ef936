"""`voxgate check`: what would not be served is not ok, and its line is named."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from tests.kits import tiny
from tests.kits.cell_kit import small_calibration, write_cell
from voxgate.export.packing.package import write_recipe
from voxgate.runtime.cli import app
from voxgate.runtime.common.wall_clock import utc_now
from voxgate.runtime.geometry.calibration import Calibration
from voxgate.runtime.recipe.folder import MANIFEST_FILE
from voxgate.runtime.recipe.signature import sign, write_signature
from voxgate.runtime.records.journal import Journal
from voxgate.runtime.wire.keys import load_signer, make_key_pair, make_signer

Spoil = Callable[[Path], None]


def check(file: Path, *options: str) -> tuple[int, list[str]]:
    """Exit code and problems, the file's name left out."""
    done = CliRunner().invoke(app, ["check", str(file), "--json", *options])
    problems = json.loads(done.stdout)["problems"]
    assert all(problem.startswith(f"{file}:") for problem in problems)
    return done.exit_code, [problem.removeprefix(f"{file}:") for problem in problems]


@pytest.fixture
def cell(folder: Path) -> Path:
    """The YAML of a cell that would be served: signed recipe, keys, ports of its own."""
    (folder / "recipes").mkdir()
    pem, public = make_signer(folder, "qa", None)
    robot = make_key_pair(folder, "robot")[1].public.decode()
    make_key_pair(folder, "box")
    roles = ["poses", "commands", "frames"]
    file = write_cell(
        folder,
        recipes={
            "default": "tiny/1",
            "allow_unsigned": False,
            "signers": [{"name": "qa", "public_key": public}],
        },
        security={
            "secret_key": "box.key_secret",
            "peers": [{"name": "robot", "public_key": robot, "roles": roles}],
        },
        evidence={"folder": "evidence"},
    )
    calibration = _tiny_calibration(folder)
    manifest = tiny.manifest(part=calibration.part, calibration_digest=calibration.digest)
    write_recipe(folder / "recipes/tiny/1", tiny.parts(manifest=manifest))
    _sign(folder, pem, timedelta(days=400))
    return file


def _tiny_calibration(folder: Path, **changes: object) -> Calibration:
    """The cell's, of pictures as small as the recipe's."""
    file = folder / "calibration.json"
    small_calibration(file)
    fields = json.loads(file.read_text("utf-8"))
    fields["image_size"] = {"width": tiny.SHAPE[3], "height": tiny.SHAPE[2]}
    fields["K"] = [[c * 0.4 for c in row] for row in fields["K"][:2]] + [fields["K"][2]]
    file.write_text(json.dumps(fields | changes), encoding="utf-8")
    return Calibration.load(file)


def _sign(folder: Path, pem: Path, lasts: timedelta) -> None:
    recipe = folder / "recipes/tiny/1"
    manifest = (recipe / MANIFEST_FILE).read_bytes()
    write_signature(recipe, sign(manifest, load_signer(pem, None), utc_now() + lasts))


def _set(place: Path, section: str, /, **values: Any) -> None:
    file = place / "cell.yaml"
    document = YAML().load(file.read_text())
    document.setdefault(section, {}).update(values)
    with file.open("w") as stream:
        YAML().dump(document, stream)


def test_a_cell_that_would_be_served_is_refused(cell: Path) -> None:
    before = sorted(cell.parent.rglob("*"))
    assert check(cell) == (0, [])
    assert sorted(cell.parent.rglob("*")) == before, "a check leaves nothing behind"


def _torn(folder: Path) -> None:
    (folder / "calibration.json").write_text("{")


def _of_another_part(folder: Path) -> None:
    _tiny_calibration(folder, part="another")


def _of_another_camera(folder: Path) -> None:
    fields = json.loads((folder / "calibration.json").read_text("utf-8"))
    fields["K"][0][0] *= 1.1
    (folder / "calibration.json").write_text(json.dumps(fields))


def _altered(folder: Path) -> None:
    (folder / "recipes/tiny/1/model.onnx").write_bytes(b"another")


def _a_file_missing(folder: Path) -> None:
    (folder / "recipes/tiny/1/probe.npz").unlink()


def _of_a_stranger(folder: Path) -> None:
    _sign(folder, make_signer(folder / "stranger", "qa", None)[0], timedelta(days=400))


def _expired(folder: Path) -> None:
    pem = next(folder.glob("*.pem"))
    _sign(folder, pem, timedelta(seconds=-1))


def _unsigned(folder: Path) -> None:
    (folder / "recipes/tiny/1/SIGNATURE").unlink()


def _journal_nowhere(folder: Path) -> None:
    (folder / "file").write_text("")
    _set(folder, "journal", path="file/journal.sqlite")


def _evidence_nowhere(folder: Path) -> None:
    (folder / "file").write_text("")
    _set(folder, "evidence", folder="file/evidence")


def _no_journal(folder: Path) -> None:
    (folder / "journal.sqlite").write_text("not a data base, and long enough to be asked " * 100)


def _open_key(folder: Path) -> None:
    (folder / "box.key_secret").chmod(0o644)


def _no_password(folder: Path) -> None:
    (folder / "password").write_text("")
    auth = {"user": "prometheus", "password_file": "password"}
    _set(folder, "metrics", enabled=True, port=_free_port(), basic_auth=auth)


def _socket_nowhere(folder: Path) -> None:
    _set(folder, "sockets", verdicts=f"ipc://{folder}/none/verdicts")


@pytest.mark.parametrize(
    ("spoil", "key"),
    [
        (_torn, "calibration"),
        (_of_another_part, "recipes.default"),
        (_of_another_camera, "recipes.default"),
        (_altered, "recipes.default"),
        (_a_file_missing, "recipes.default"),
        (_of_a_stranger, "recipes.default"),
        (_expired, "recipes.default"),
        (_unsigned, "recipes.default"),
        (_journal_nowhere, "journal.path"),
        (_evidence_nowhere, "evidence.folder"),
        (_no_journal, "journal.path"),
        (_open_key, "security.secret_key"),
        (_no_password, "metrics"),
        (_socket_nowhere, "sockets.verdicts"),
    ],
)
def test_a_cell_that_would_not_be_served_is_ok(cell: Path, spoil: Spoil, key: str) -> None:
    spoil(cell.parent)
    code, problems = check(cell)
    assert code == 2
    (line, named, *_) = problems[0].split(":")
    assert named == key
    shown = cell.read_text().splitlines()[int(line) - 1]
    assert key.rpartition(".")[2] in shown
    assert check(cell, "--quick") == (0, [])


@pytest.fixture
def port() -> Iterator[int]:
    """One that another program has."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield int(other.getsockname()[1])


@pytest.mark.parametrize("name", ["poses", "commands", "verdicts"])
def test_a_port_that_is_taken_is_ok_unless_this_cell_has_it(
    cell: Path, port: int, name: str
) -> None:
    _set(cell.parent, "sockets", **{name: f"tcp://127.0.0.1:{port}"})
    code, (problem,) = check(cell)
    assert code == 2
    assert f"sockets.{name}: port {port} is in use" in problem
    journal = Journal(cell.parent / "journal.sqlite")
    try:
        assert check(cell) == (0, []), "its own service is running"
    finally:
        journal.close()


def test_a_recipe_that_the_service_may_do_without_keeps_it_down(cell: Path) -> None:
    _set(cell.parent, "recipes", default="tiny", fallback=True)
    _altered(cell.parent)
    assert check(cell) == (0, [])


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])
