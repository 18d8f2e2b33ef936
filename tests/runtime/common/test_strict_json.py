"""JSON that a person or a fault could have bent must not slip through as a number."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.runtime.common.strict_json import Fields, parse_object

_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


Answer = TypeVar("Answer")


def _answer_or_line(ask: Callable[[], Answer]) -> Answer | str:
    """What `ask` returns, or its ValueError's message, which must be one line."""
    try:
        return ask()
    except ValueError as error:
        line = str(error)
    assert "\n" not in line
    return line


@pytest.mark.slow
@given(st.dictionaries(st.text(), _values, max_size=5))
def test_a_sound_object_is_read_as_it_stands(document: dict[str, object]) -> None:
    assert parse_object(json.dumps(document)).values == document


@given(st.text(max_size=60) | st.text('{}[]":,.eE+-0123456789NaInfity ', max_size=60))
def test_any_text_is_an_object_or_one_line(text: str) -> None:
    _answer_or_line(lambda: parse_object(text))


@pytest.mark.slow
@given(_values)
def test_a_getter_gives_its_type_and_range_or_one_line(value: object) -> None:
    fields = Fields({"key": value}, "outer.")
    for get in (
        lambda: fields.number("key", -5.0, 5.0),
        lambda: fields.integer("key", -5, 5),
        lambda: float(fields.numbers("key", (2, 2)).sum()),
        lambda: float(fields.numbers("key", ()).sum()),
    ):
        answer = _answer_or_line(get)
        assert math.isfinite(answer) if isinstance(answer, (int, float)) else "outer.key" in answer


@pytest.mark.parametrize("value", [10**400, -(10**400)], ids=["high", "low"])
def test_a_number_beyond_float64_is_refused(value: int) -> None:
    with pytest.raises(ValueError, match="finite numbers"):
        Fields({"key": [value]}).numbers("key", (1,))
    with pytest.raises(ValueError, match="a number from"):
        Fields({"key": value}).number("key", -1e300, 1e300)


def test_true_is_not_one() -> None:
    fields = Fields({"key": True})
    for get in (lambda: fields.integer("key", 0, 1), lambda: fields.number("key", 0, 1)):
        with pytest.raises(ValueError, match="got true"):
            get()


def test_nested_numbers_keep_their_shape() -> None:
    fields = parse_object('{"a": {"m": [[1, 2], [3, 4.5]]}}').object_at("a")
    np.testing.assert_array_equal(fields.numbers("m", (2, 2)), [[1, 2], [3, 4.5]])
    with pytest.raises(ValueError, match=r"a\.m must be 3 x 2 finite numbers, got \[\[1, 2\]"):
        fields.numbers("m", (3, 2))


def test_a_missing_key_is_named_with_its_path() -> None:
    with pytest.raises(ValueError, match=r"^a\.b is missing$"):
        parse_object('{"a": {}}').object_at("a").text("b")


def test_a_long_value_is_shortened_in_the_message() -> None:
    with pytest.raises(ValueError, match="got ") as caught:
        Fields({"key": "x" * 5000}).integer("key", 0, 1)
    assert len(str(caught.value)) < 200
