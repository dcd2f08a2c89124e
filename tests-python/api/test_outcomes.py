"""What a function says of rows without a result, and the tag of the output that they leave by."""

from typing import Any

import numpy as np
import pytest
from pyflink.common import Types
from pyflink_async_batch import (
    BatchTooLarge,
    ColumnResults,
    InvalidOptionTypeError,
    RowFailure,
    dead_letters_tag,
)


def test_a_failure_holds_an_exception_or_a_text() -> None:
    error = ValueError("no")
    assert RowFailure(error).error is error
    assert RowFailure("no").error == "no"
    assert repr(RowFailure("no")) == "RowFailure('no')"


@pytest.mark.parametrize("error", [None, 7, ValueError, b"no", RowFailure("no")])
def test_a_failure_says_why(error: Any) -> None:
    with pytest.raises(TypeError, match="error must be an exception or a str"):
        RowFailure(error)


def test_a_failure_is_not_subclassed() -> None:
    with pytest.raises(TypeError, match="cannot be subclassed"):
        type("Mine", (RowFailure,), {})


def test_columns_have_failures_by_index() -> None:
    results = ColumnResults([1, 2, 3], {np.int64(2): "no", 0: RowFailure("neither")})
    assert results.values == [1, 2, 3]
    assert {index: why.error for index, why in results.failures.items()} == {2: "no", 0: "neither"}
    assert [type(index) for index in results.failures] == [int, int]


@pytest.mark.parametrize("index", ["0", 1.0, True, None])
def test_an_index_of_columns_is_an_integer(index: Any) -> None:
    with pytest.raises(TypeError, match="failures must have indexes of rows as keys"):
        ColumnResults([1], {index: "no"})


def test_too_large_is_raised_as_any_exception() -> None:
    assert issubclass(BatchTooLarge, Exception)


def test_the_tag_knows_the_type_of_the_inputs() -> None:
    tag = dead_letters_tag(Types.LONG())
    assert tag.type_info.get_field_names() == [
        "input",
        "error_kind",
        "error_class",
        "message",
        "attempts",
        "failed_at",
    ]
    assert tag.type_info.get_field_types()[0] == Types.LONG()
    with pytest.raises(InvalidOptionTypeError, match="input_type must be a .*ds.get_type"):
        dead_letters_tag("LONG")
