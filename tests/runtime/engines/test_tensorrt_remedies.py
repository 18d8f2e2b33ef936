"""What TensorRT and CUDA write becomes what to type."""

from __future__ import annotations

import logging

import pytest

from tests.kits import gpu_kit
from voxgate.runtime.engines.tensorrt_module import logger_of
from voxgate.runtime.engines.tensorrt_remedies import explain, remedy
from voxgate.runtime.gpu.errors import cuda_error

SEEN: dict[str, tuple[str, str]] = {
    "another version, 8": (
        "Serialization assertion stdVersionRead == serializationVersion failed.Version tag does "
        "not match. Note: Current Version: 236, Serialized Engine Version: 237",
        "built by another TensorRT",
    ),
    "another version, 10": (
        "IRuntime::deserializeCudaEngine: Error Code 1: Serialization (Serialization assertion "
        "stdVersionRead == kSERIALIZATION_VERSION failed.Version tag does not match.)",
        "built by another TensorRT",
    ),
    "no plan": (
        "Serialization assertion magicTagRead == kMAGIC_TAG failed.Magic tag does not match",
        "is no plan",
    ),
    "no plan, 10": ("plan->header.magicTag == rt::kPLAN_MAGIC_TAG failed", "is no plan"),
    "safety": ("safeVersionRead == safeSerializationVersion failed", "very different TensorRT"),
    "another GPU": (
        "The engine plan file is generated on an incompatible device, expecting compute 8.7 got "
        "compute 8.6, please rebuild.",
        "built for another GPU",
    ),
    "plugin": (
        "Plugin not found, are the plugin name, version, and namespace correct?",
        "export the recipe again",
    ),
    "plugin, 8": ("getPluginCreator could not find plugin: X version: 1", "export the recipe"),
    "plugin in a plan": (
        "Cannot deserialize plugin since corresponding IPluginCreator not found in Plugin Registry",
        "export the recipe again",
    ),
    "static axis": (
        "condition: engineDims.d[i] == dims.d[i]. Static dimension mismatch while setting input "
        "shape for input. Set dimensions are [3,1]. Expected dimensions are [1,1]",
        "for this camera",
    ),
    "profile": (
        "condition: satisfyProfile Runtime dimension does not satisfy any optimization profile.",
        "for this camera",
    ),
    "quantised": (
        "TensorRT only supports symmetric quantization. The zero point for the QuantizeLinear/"
        "DequantizeLinear operator must be all zeros.",
        "--precision int8",
    ),
    "bias": ("only activation types allowed as input to this layer", "--precision int8"),
    "context": ("Cuda failure: invalid resource handle", "pycuda.autoinit"),
    "memory": (
        "Error Code 2: OutOfMemory (Requested size was 1073741824 bytes.)",
        "memory is full",
    ),
    "no kernel": ("could not find any implementation for node /net/Conv_3", "--workspace-mb"),
    "container": (
        "libnvdla_compiler.so: cannot open shared object file: No such file or directory",
        "mount it",
    ),
}


@pytest.mark.parametrize("case", SEEN)
def test_a_known_text_becomes_a_remedy(case: str) -> None:
    text, words = SEEN[case]
    assert words in (remedy(text) or "")


def test_the_cause_is_named_not_its_echo() -> None:
    said = [SEEN["another GPU"][0], "Error Code 4: Internal Error (Engine deserialization failed.)"]
    assert explain(said, "otherwise").startswith("The engine plan file is generated on an")
    assert explain(said[::-1], "otherwise").startswith("The engine plan file is generated on an")


def test_an_unknown_text_is_shown_as_it_is_with_what_to_do() -> None:
    assert explain(["something new\nhappened"], "look") == "something new happened: look"
    assert explain([], "look") == "look"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("cuMemAlloc failed: out of memory", "free GPU memory"),
        (
            "cuModuleLoadDataEx failed: the provided PTX was compiled with an unsupported ptx",
            "driver",
        ),
        ("CUDA_ERROR_NO_BINARY_FOR_GPU", "voxgate build"),
        ("cuMemcpyHtoDAsync failed: invalid resource handle", "pycuda.autoinit"),
        ("cuInit failed: no CUDA-capable device is detected", "nvidia-smi"),
        ("an error nobody knows", "an error nobody knows"),
    ],
)
def test_the_drivers_words_become_a_remedy(said: str, words: str) -> None:
    assert words in str(cuda_error(said))


def test_tensorrts_log_is_in_ours_and_its_errors_are_kept(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    module = gpu_kit.install(monkeypatch).tensorrt.module
    logger, said = logger_of(module)
    assert logger_of(module)[0] is logger  # a second one would be ignored by TensorRT
    with caplog.at_level(logging.DEBUG, "voxgate.tensorrt"):
        for name in ("VERBOSE", "INFO", "WARNING", "ERROR", "INTERNAL_ERROR"):
            logger.log(module.ILogger.Severity[name], f"{name} of\nTensorRT")
    levels = [(record.levelname, record.message) for record in caplog.records]
    assert levels == [
        ("DEBUG", "INFO of TensorRT"),
        ("WARNING", "WARNING of TensorRT"),
        ("ERROR", "ERROR of TensorRT"),
        ("ERROR", "INTERNAL_ERROR of TensorRT"),
    ]
    assert said.take() == ["ERROR of\nTensorRT", "INTERNAL_ERROR of\nTensorRT"]
    assert said.take() == []
