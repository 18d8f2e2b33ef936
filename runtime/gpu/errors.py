"""What the CUDA driver says, and what to do about it."""

from __future__ import annotations

from voxgate.runtime.errors import EngineError


class LibraryTooNew(EngineError):
    """A CUDA binding that wants a newer driver than the one here; another one may do."""


FOREIGN_CONTEXT = (
    "another CUDA context is current in this thread, so TensorRT's memory would be invalid: "
    "remove `import pycuda.autoinit` (or import pycuda.autoprimaryctx in its place)"
)
REMEDIES = {
    "no cuda-capable device": "is the GPU there? type: nvidia-smi, or tegrastats on a Jetson",
    "CUDA_ERROR_NO_DEVICE": "is the GPU there? type: nvidia-smi, or tegrastats on a Jetson",
    "out of memory": "free GPU memory, or build with fewer voxels: larger voxel_mm",
    "CUDA_ERROR_OUT_OF_MEMORY": "free GPU memory, or build with fewer voxels: larger voxel_mm",
    "unsupported ptx": "the driver is older than the compiler: update the driver",
    "UNSUPPORTED_PTX": "the driver is older than the compiler: update the driver",
    "no kernel image": "the kernels were compiled for another GPU; type: voxgate build RECIPE",
    "NO_BINARY_FOR_GPU": "the kernels were compiled for another GPU; type: voxgate build RECIPE",
    "invalid resource handle": FOREIGN_CONTEXT,
    "INVALID_HANDLE": FOREIGN_CONTEXT,
    "INVALID_CONTEXT": FOREIGN_CONTEXT,
    "illegal memory access": "the GPU's context is lost; restart the service, and report this",
    "ILLEGAL_ADDRESS": "the GPU's context is lost; restart the service, and report this",
    "launch failed": "the GPU's context is lost; restart the service, and report this",
    "insufficient driver": "the driver is older than CUDA here: update the driver",
    "INSUFFICIENT_DRIVER": "the driver is older than CUDA here: update the driver",
    "CUDA_ERROR_UNKNOWN": "restart the machine if this stays: the driver may be half updated",
}
"""A piece of pycuda's or the driver's words -> what to type or do."""


def cuda_error(words: str) -> EngineError:
    """An error with the driver's words and the remedy, where one is known."""
    said = " ".join(words.split())[:300]
    known = [remedy for piece, remedy in REMEDIES.items() if piece.lower() in said.lower()]
    return EngineError(f"CUDA: {said}" + (f": {known[0]}" if known else ""))
