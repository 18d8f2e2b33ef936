"""An archive of arrays takes no more memory than is allowed and runs no code."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from voxgate.runtime.common import npz
from voxgate.runtime.common.npz import arrays_of


def packed(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return buffer.getvalue()


def header(text: str) -> bytes:
    body = text.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(body).to_bytes(2, "little") + body


@given(
    hnp.arrays(
        st.sampled_from([np.uint8, np.int32, np.float32, np.float64, np.bool_]),
        hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
    ),
    st.booleans(),
)
def test_what_numpy_wrote_is_read(array: np.ndarray, fortran: bool) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, a=np.asfortranarray(array) if fortran else array)
    found = arrays_of(buffer.getvalue())["a"]
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)
    assert found.flags.writeable


def test_a_bomb_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npz, "MAX_BYTES", 1000)
    with pytest.raises(ValueError, match="unpacked, at most 1000"):
        arrays_of(packed(a=bytes(100_000)))


@pytest.mark.parametrize(
    "text",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }",
        "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<f4'}",
        "__import__('os').system('true')",
    ],
)
def test_a_header_that_lies_is_refused_without_the_memory(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        arrays_of(packed(a=header(text) + bytes(8)))


def test_code_in_an_array_does_not_run() -> None:
    buffer = io.BytesIO()
    np.savez(buffer, a=np.array([{"x": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="Python objects"):
        arrays_of(buffer.getvalue())


@pytest.mark.parametrize("content", [b"", b"PK", b"no archive at all"])
def test_what_is_no_archive_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="no archive"):
        arrays_of(content)
