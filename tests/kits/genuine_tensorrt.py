"""TensorRT's genuine Python modules, imported over libraries that are not there.

A module of TensorRT proper is a wheel of a megabyte; what it links to is not on the index.
It needs a dozen functions of them, and imports when each gives NULL: an installation that is broken
as real ones are, with every name and signature of its version.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

WHEELS = Path(sys.prefix) / "bindings"
"""Where `make test-tensorrt` unpacks one version beside the other."""
RTX = "rtx-1.7"
LIBRARIES = ("nvinfer", "nvonnxparser", "nvinfer_plugin", "nvparsers")
FUNCTIONS = (
    *("createInferBuilder_INTERNAL", "createInferRefitter_INTERNAL"),
    *("createInferRuntime_INTERNAL", "createNvOnnxParser_INTERNAL"),
    *("createNvOnnxParserRefitter_INTERNAL", "getBuilderPluginRegistry", "getPluginRegistry"),
    *("initLibNvInferPlugins", "getNvOnnxParserVersion"),
    # of 8.6: parsers of formats before ONNX
    "_ZN11nvuffparser15createUffParserEv",
    "_ZN11nvuffparser8FieldMapC1EPKcPKvNS_9FieldTypeEi",
    "_ZN14nvcaffeparser117createCaffeParserEv",
    "_ZN14nvcaffeparser123shutdownProtobufLibraryEv",
)

TELL = """
import importlib, inspect, json, sys

def told(owner):
    found = {}
    for name in dir(owner):
        try:
            member = getattr(owner, name)
        except Exception:
            continue
        static = inspect.getattr_static(owner, name)
        settable = not isinstance(static, property) or static.fset is not None
        doc = member.__doc__ if callable(member) and not inspect.isclass(member) else ""
        found[name] = {"doc": doc or "", "settable": settable}
    return found

module = importlib.import_module(sys.argv[1])
classes = {"module": told(module)}
for name in dir(module):
    value = getattr(module, name)
    if inspect.isclass(value):
        classes[name] = told(value)
        for inner in dir(value):
            nested = getattr(value, inner, None)
            if inspect.isclass(nested) and not inner.startswith("_"):
                classes[f"{name}.{inner}"] = told(nested)
print(json.dumps({"version": module.__version__, "classes": classes}))
"""


def stub_libraries(folder: Path) -> Path:
    """Compiled into `folder`; the same empty library under every name that a version links to."""
    _needs_compiler()
    source = folder / "null.c"
    lines = (f"void *{name}(void) {{ return 0; }}" for name in FUNCTIONS)
    source.write_text("\n".join(lines), encoding="utf-8")
    library = folder / "null.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    for major in (8, 10, 11):
        for name in LIBRARIES:
            shutil.copy(library, folder / f"lib{name}.so.{major}")
    return folder


def broken_installation(version: str, stubs: Path, folder: Path) -> dict[str, str]:
    """The environment of a process in which `import tensorrt` gives this version's own module."""
    wheel = WHEELS / version
    if not wheel.is_dir():
        pytest.skip(f"no wheel of TensorRT {version} for this Python and processor")
    front = folder / "tensorrt"
    front.mkdir(parents=True, exist_ok=True)
    (front / "__init__.py").write_text(
        "from tensorrt_bindings import *\nfrom tensorrt_bindings import __version__\n", "utf-8"
    )
    path = os.pathsep.join([str(folder), str(wheel), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": path, "LD_LIBRARY_PATH": str(stubs)}


def _needs_compiler() -> None:
    if shutil.which("cc") is None:
        pytest.skip("needs a C compiler: apt-get install gcc")


def copy_of_rtx(folder: Path) -> Path:
    """The installed TensorRT for RTX once more, its libraries linked to: to be broken. Returns the
    link to the builder and runtime."""
    for name in ("tensorrt_rtx_bindings", "tensorrt_rtx_libs"):
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        shutil.copytree(Path(spec.origin).parent, folder / name, copy_function=os.symlink)
    return folder / "tensorrt_rtx_libs" / "libtensorrt_rtx.so.1"


def library_of(version: tuple[int, int, int], library: Path) -> None:
    """Compiled: it says so of itself, and nothing of it starts."""
    _needs_compiler()
    pieces = zip(("Major", "Minor", "Patch"), version, strict=True)
    lines = [f"int getInferLib{name}Version(void) {{ return {n}; }}" for name, n in pieces]
    lines += [f"void *{name}(void) {{ return 0; }}" for name in FUNCTIONS]
    source = library.with_name("other.c")
    source.write_text("\n".join(lines), encoding="utf-8")
    named = f"-Wl,-soname,{library.name}"
    subprocess.run(["cc", "-shared", "-fPIC", named, "-o", library, source], check=True)


def names_of(module: str, environment: dict[str, str]) -> dict[str, Any]:
    """version, and class -> name -> docstring and whether it can be set, as the module says."""
    command = [sys.executable, "-c", TELL, module]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def signatures(name: str, doc: str) -> list[list[tuple[str, bool]]]:
    """Of each overload that a docstring of pybind11 lists: parameters, and whether each may be
    left away."""
    found = []
    for line in doc.splitlines():
        words = line.strip().partition(". ")[2] if line[:1].isdigit() else line.strip()
        if words.startswith(f"{name}(") and " -> " in words:
            inside = words[len(name) + 1 : words.rindex(") -> ")]
            found.append([_parameter(part) for part in _split(inside)])
    return found


def _split(parameters: str) -> list[str]:
    parts, depth, part = [], 0, ""
    for letter in f"{parameters},":
        depth += letter in "[(<{"
        depth -= letter in "])>}"
        if letter == "," and depth == 0:
            parts.append(part.strip())
            part = ""
        else:
            part += letter
    return [each for each in parts if each]


def _parameter(part: str) -> tuple[str, bool]:
    return part.partition(":")[0].strip(), " = " in part
