"""What functions may return for their outputs, and what is refused."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyflink_async_batch._worker.result_check import InvalidResultError
from pyflink_async_batch.sidecar import TensorSpec, _result_tensors, _tensor_codec

VECTOR = TensorSpec("FP32", (-1, 2))
ANY_LENGTH = TensorSpec("INT32", (-1, -1))
NUMBER = TensorSpec("INT16", (-1,))
FLAGS = TensorSpec("BOOL", (-1, 2))
TEXT = TensorSpec("BYTES", (-1,), text=True)
PAIRS = TensorSpec("BYTES", (-1, 2))


@pytest.mark.parametrize(
    ("spec", "column", "expected"),
    [
        (VECTOR, pa.array([[1.5, 2], [3, 4]]), [[1.5, 2], [3, 4]]),
        (VECTOR, pa.chunked_array([[[1.0, 2.0]], [[3.0, 4.0]]]), [[1, 2], [3, 4]]),
        (VECTOR, pa.array([[1, 2]], pa.list_(pa.int8(), 2)), [[1, 2]]),
        (VECTOR, pa.array([np.array([1, 2], "<f4").tobytes()]), [[1, 2]]),
        (ANY_LENGTH, pa.array([[1, 2, 3]]), [[1, 2, 3]]),
        (NUMBER, pa.array([1, 2], pa.uint64()), [1, 2]),
        (FLAGS, pa.array([[True, False]]), [[True, False]]),
        (TEXT, pa.array(["a", "b"], pa.large_utf8()), ["a", "b"]),
        (PAIRS, pa.array([[b"a", b"b"]]), [[b"a", b"b"]]),
    ],
    ids=str,
)
def test_columns(spec: TensorSpec, column: Any, expected: Any) -> None:
    array = _result_tensors.of_column("y", spec, column)
    assert array.dtype == spec.dtype
    assert array.tolist() == expected


@pytest.mark.parametrize(
    ("spec", "column", "complaint"),
    [
        (VECTOR, pa.array([[1.0, 2.0], None]), "got null"),
        (VECTOR, pa.array([[1.0, None]]), "value 1 of row 0 is null"),
        (VECTOR, pa.array([[1.0, 2.0], [3.0]]), "row 1 has 1 values"),
        (VECTOR, pa.array([[1e300, 1.0]]), "out of its range"),
        (VECTOR, pa.array(["ab"]), "does not fit"),
        (ANY_LENGTH, pa.array([[1], [2, 3]]), "row 1 has 2 values"),
        (ANY_LENGTH, pa.array([[1.0]]), "must be INT32, got float64"),
        (NUMBER, pa.array([2**15]), "out of its range"),
        (NUMBER, pa.array([True]), "got bool"),
        (NUMBER, pa.array([0], pa.date32()), "got date32"),
        (NUMBER, pa.array(["1"]), "got string"),
        (FLAGS, pa.array([[True, None]]), "must be BOOL, got object"),
        (TEXT, pa.array([b"a"]), "must be str, got bytes"),
        (PAIRS, pa.array([[b"a"]]), r"must have shape \[-1, 2\], got \[1, 1\]"),
        (PAIRS, pa.array([[b"a", b"b"], [b"c"]]), "different shapes"),
    ],
    ids=str,
)
def test_columns_that_do_not_fit(spec: TensorSpec, column: Any, complaint: str) -> None:
    with pytest.raises(InvalidResultError, match=complaint):
        _result_tensors.of_column("y", spec, column)


def test_a_column_of_the_right_type_is_not_copied() -> None:
    values = np.arange(8, dtype="<f4")
    column = pa.FixedSizeListArray.from_arrays(pa.array(values), 2)
    array = _result_tensors.of_column("y", VECTOR, column)
    assert array.__array_interface__["data"][0] == values.__array_interface__["data"][0]
    written = np.frombuffer(_tensor_codec.write(VECTOR, array), np.uint8)
    assert written.__array_interface__["data"][0] == values.__array_interface__["data"][0]


@pytest.mark.parametrize(
    ("datatype", "exact", "too_large"),
    [("FP16", 2**11, 2**11 + 1), ("FP32", 2**24, 2**24 + 1), ("FP64", 2**53, 2**53 + 1)],
)
def test_integers_become_floats_where_they_are_exact(
    datatype: str, exact: int, too_large: int
) -> None:
    spec = TensorSpec(datatype, (-1,))
    assert _result_tensors.of_values("y", spec, [exact, -exact]).tolist() == [exact, -exact]
    with pytest.raises(InvalidResultError, match="does not hold exactly"):
        _result_tensors.of_values("y", spec, [too_large])


def test_infinities_and_nan_are_floats_like_others() -> None:
    values = [float("inf"), float("-inf"), float("nan")]
    array = _result_tensors.of_values("y", TensorSpec("FP16", (-1,)), values)
    np.testing.assert_array_equal(array, values)


def test_bf16_is_rounded_to_the_nearest() -> None:
    spec = TensorSpec("BF16", (-1,))
    ml_dtypes = pytest.importorskip("ml_dtypes")
    generator = np.random.default_rng(1)
    values = generator.integers(0, 2**32, 100_000, np.uint32).view(np.float32)
    values = np.concatenate([values, np.array([np.nan, np.inf, -0.0, 3.4e38], np.float32)])
    with np.errstate(over="ignore", invalid="ignore"):
        expected = values.astype(ml_dtypes.bfloat16)
    written = np.frombuffer(_tensor_codec.write(spec, values), np.uint16)
    is_nan = np.isnan(values)
    np.testing.assert_array_equal(written[~is_nan], expected.view(np.uint16)[~is_nan])
    read = _tensor_codec.read("x", spec, values.shape, written.tobytes())
    assert np.isnan(read[is_nan]).all()
    np.testing.assert_array_equal(read[~is_nan], expected.astype(np.float32)[~is_nan])


def test_contents_that_are_not_aligned_are_copied() -> None:
    spec = TensorSpec("FP64", (-1,))
    data = b"x" + np.array([1.0, 2.0]).tobytes()
    array = _tensor_codec.read("x", spec, (2,), memoryview(data)[1:])
    assert array.flags.aligned
    assert array.tolist() == [1.0, 2.0]
