"""The adapter against the modules themselves: TensorRT 8.6, 10.3, 10.13, 11.4 and RTX 1.7."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kits import genuine_tensorrt as genuine
from tests.kits import tiny
from tests.kits.cell_kit import write_cell
from tests.kits.fake_tensorrt import FACTS, VERSIONS
from tests.runtime.engines.test_tensorrt_contract import (
    GATES,
    RUNTIME,
    TENSORRT_FILES,
    Touched,
    touched,
)
from voxgate.export.packing.package import write_recipe

Module = dict[str, Any]
WORD_GATES: dict[tuple[str, ...], tuple[str, ...]] = {("runtime_config",): (genuine.RTX,)}
"""Words of a call that only some versions are called with: the flavour is asked."""
UNNAMED = {"__init__", "__str__", "__buffer__"}
"""What Python gives to every class, or calls so since 3.12 only."""


@pytest.fixture(scope="session")
def stubs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return genuine.stub_libraries(tmp_path_factory.mktemp("stubs"))


@pytest.fixture(scope="session")
def told() -> dict[str, Module]:
    """What each version has said so far."""
    return {}


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def module(version: str, stubs: Path, tmp_path: Path, told: dict[str, Module]) -> Module:
    """Every class of it: name -> docstring and whether it can be set."""
    if version not in told and version == genuine.RTX:
        told[version] = genuine.names_of("tensorrt_rtx_bindings", dict(os.environ))
    elif version not in told:
        environment = genuine.broken_installation(version, stubs, tmp_path)
        told[version] = genuine.names_of("tensorrt", environment)
    classes: Module = told[version]["classes"]
    return classes


def in_source(version: str) -> Iterator[tuple[str, str, str]]:
    for file in TENSORRT_FILES:
        for cls, name in sorted(touched(file)):
            if version in GATES.get((cls, name), VERSIONS):
                yield file, cls, name


def test_a_name_in_the_adapter_is_not_in(version: str, module: Module) -> None:
    missing = [
        f"{file}: {cls}.{name}"
        for file, cls, name in in_source(version)
        if name not in module.get(cls, {})
    ]
    assert not missing
    assert len(list(in_source(version))) > 45


class Calls(Touched):
    """(class, method, number of positional arguments, keywords) of every call on a TensorRT
    object; None for a call that spreads its arguments."""

    def __init__(self, file: str) -> None:
        super().__init__(file)
        self.calls: set[tuple[str, str, int, tuple[str, ...]]] = set()

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        if isinstance(node.func, ast.Attribute):
            self._note(node.func, node.args, [str(word.arg) for word in node.keywords])
        # its fourth argument is what it calls, with those that follow
        if isinstance(node.func, ast.Name) and node.func.id == "made":
            factory, arguments = node.args[3], node.args[4:]
            if isinstance(factory, ast.Attribute):
                self._note(factory, arguments, [])

    def _note(self, function: ast.Attribute, given: list[ast.expr], words: list[str]) -> None:
        holder = self._class_of(function.value)
        if holder is not None and not any(isinstance(each, ast.Starred) for each in given):
            self.calls.add((holder, function.attr, len(given), tuple(words)))


def calls() -> set[tuple[str, str, int, tuple[str, ...]]]:
    found = set()
    for file in TENSORRT_FILES:
        visitor = Calls(file)
        visitor.visit(ast.parse((RUNTIME / file).read_text(encoding="utf-8")))
        found |= visitor.calls
    return found


def accepts(overload: list[tuple[str, bool]], positional: int, words: tuple[str, ...]) -> bool:
    parameters = [each for each in overload if each[0] != "self"]
    rest = parameters[positional:]
    names = {name for name, _ in rest}
    left = [name for name, optional in rest if not optional and name not in words]
    return positional <= len(parameters) and set(words) <= names and not left


def test_a_call_of_the_adapter_is_not_taken_by(version: str, module: Module) -> None:
    checked, refused = 0, []
    for cls, name, positional, words in sorted(calls()):
        gate = WORD_GATES.get(words, GATES.get((cls, name), VERSIONS))
        if version not in gate or name == "__init__":
            continue
        holder, method = (cls, name) if name not in module else (name, "__init__")
        doc = module[holder][method]["doc"]
        overloads = genuine.signatures(method, doc)
        if not overloads:
            continue  # a module's own function, or an enum asked by a number
        checked += 1
        if not any(accepts(each, positional, words) for each in overloads):
            refused.append(f"{cls}.{name}({positional}, {words}): {overloads}")
    assert not refused
    assert checked > 20


def test_a_wrong_call_is_taken() -> None:
    """Of the test above: what it would say of a parameter too many, one missing, a wrong word."""
    overload = genuine.signatures("f", "f(self: X, a: int, b: tuple[int, str] = (1, 'x')) -> bool")[
        0
    ]
    assert overload == [("self", False), ("a", False), ("b", True)]
    taken = [accepts(overload, *call) for call in ((1, ()), (1, ("b",)), (2, ()), (0, ("a",)))]
    refused = [accepts(overload, *call) for call in ((3, ()), (0, ()), (1, ("c",)))]
    assert all(taken)
    assert not any(refused)


def test_what_the_adapter_sets_cannot_be_set_in(version: str, module: Module) -> None:
    names = ["builder_optimization_level"]
    names += ["progress_monitor"] if version != "8.6" else []
    names += ["num_compute_capabilities"] if version == genuine.RTX else []
    assert all(module["IBuilderConfig"][name]["settable"] for name in names)


def test_the_fake_has_a_name_that_is_not_in(version: str, module: Module) -> None:
    """What the adapter is run on everywhere else is generated from this list."""
    wrong = [
        f"{cls}.{name}"
        for cls, facts in FACTS["classes"].items()
        for name, member in facts["members"].items()
        if name not in UNNAMED and (version in member["in"]) and name not in module.get(cls, {})
    ]
    assert not wrong


def test_the_fake_lacks_nothing_that_the_adapter_gates(version: str, module: Module) -> None:
    """A gate keeps the adapter from a name: then the genuine module must not have it either, or
    have another way that is taken."""
    for (cls, name), versions in GATES.items():
        if version in versions:
            assert name in module[cls], (cls, name)


ASK = """
import json
from voxgate.runtime.doctor.machine import NVIDIA_VENDOR, Machine
from voxgate.runtime.doctor.plans import tensorrt
from voxgate.runtime.engines.builder import BuildOptions, build
from voxgate.runtime.engines.tensorrt_module import load_tensorrt
from voxgate.runtime.errors import EngineError

def said(ask):
    try:
        return ask()
    except EngineError as error:
        return str(error)

pc = Machine(read=lambda p: NVIDIA_VENDOR if "vendor" in p else None, glob=lambda p: ["vendor"])
row = tensorrt(pc)
print(json.dumps([
    said(lambda: load_tensorrt().__version__),
    said(lambda: build(load_tensorrt(), b"", "fp32", BuildOptions()) and "built"),
    row.light.value,
    row.said,
]))
"""


@pytest.mark.parametrize("broken", [v for v in VERSIONS if v != genuine.RTX])
def test_a_broken_installation_is_a_row_and_not_a_traceback(
    broken: str, stubs: Path, tmp_path: Path
) -> None:
    """It imports, and nothing of it starts; then its libraries are gone and it does not import."""
    environment = genuine.broken_installation(broken, stubs, tmp_path)

    def ask(**more: str) -> list[str]:
        command = [sys.executable, "-c", ASK]
        done = subprocess.run(
            command, env={**environment, **more}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        found: list[str] = json.loads(done.stdout.splitlines()[-1])
        return found

    version, build, light, row = ask()
    assert version.startswith(broken)
    assert build.startswith("TensorRT's builder cannot start: ")
    assert (light, row[: len(broken) + 9]) == ("red", f"TensorRT {broken}")
    assert "does not start: " in row
    version, build, light, row = ask(LD_LIBRARY_PATH="")
    assert version == build == row
    assert light == "red"
    assert version.startswith("TensorRT is installed but does not load: lib")
    assert "cannot open shared object file" in version


def cut_off(library: Path) -> None:
    content = library.resolve().read_bytes()[:100_000]
    library.unlink()
    library.write_bytes(content)


def of_another_version(library: Path) -> None:
    library.unlink()
    genuine.library_of((1, 6, 1), library)


BROKEN_RTX: dict[str, tuple[Callable[[Path], None], str]] = {
    "no library": (Path.unlink, "does not load: libtensorrt_rtx.so.1: cannot open"),
    "a library cut off": (cut_off, "kills whoever looks at it (SIG"),
    "a library of 1.6.1": (of_another_version, "is a Python module beside a library of 1.6.1"),
}


@pytest.mark.parametrize("how", BROKEN_RTX)
def test_a_broken_tensorrt_for_rtx_is_the_doctors_end_or_no_row(how: str, tmp_path: Path) -> None:
    spoil, words = BROKEN_RTX[how]
    (tmp_path / "broken").mkdir()
    spoil(genuine.copy_of_rtx(tmp_path / "broken"))
    write_recipe(tmp_path / "recipes/tiny/1", tiny.parts())
    cell = write_cell(tmp_path, engine={"backend": "tensorrt-rtx"}, recipes={"default": "tiny/1"})
    path = os.pathsep.join([str(tmp_path / "broken"), os.environ.get("PYTHONPATH", "")])
    command = [str(Path(sys.executable).with_name("voxgate")), "doctor", "-c", str(cell), "--json"]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    rows = {row["check"]: row for row in json.loads(done.stdout)["checks"]}
    assert rows["TensorRT"]["light"] == rows["plan"]["light"] == "red"
    assert words in rows["TensorRT"]["found"]
    assert "install.sh" in json.dumps(rows["TensorRT"])
    assert rows["ports"]["light"] == "green", "the round ends there"
