"""Tensors of columns, and columns of arrays: on whose memory they are, and what is refused."""

import sys
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyflink_async_batch import UnsupportedEnvironmentError
from pyflink_async_batch.tensors import as_tensors, column_of, tensor_batch

VALUES = np.arange(24, dtype=np.float32)


def lists(values: Any = VALUES, size: int = 6) -> pa.Array:
    offsets = pa.array(range(0, len(values) + 1, size), pa.int32())
    return pa.ListArray.from_arrays(offsets, pa.array(values))


COLUMNS = {
    "list": lists(),
    "large_list": lists().cast(pa.large_list(pa.float32())),
    "fixed_size_list": pa.FixedSizeListArray.from_arrays(pa.array(VALUES), 6),
    "fixed_shape_tensor": as_tensors(lists(), (6,)),
    "binary": pa.array([VALUES[i : i + 6].tobytes() for i in range(0, 24, 6)]),
    "large_binary": pa.array(
        [VALUES[i : i + 6].tobytes() for i in range(0, 24, 6)], pa.large_binary()
    ),
    "fixed_size_binary": pa.array(
        [VALUES[i : i + 6].tobytes() for i in range(0, 24, 6)], pa.binary(24)
    ),
}


def data_of(column: pa.Array) -> pa.Buffer:
    return (column.storage if isinstance(column, pa.ExtensionArray) else column).buffers()[-1]


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("start", [0, 1, 3, 4])
def test_a_batch_is_a_view_of_the_column(name: str, start: int) -> None:
    column = COLUMNS[name].slice(start)
    tensors = tensor_batch(column, (2, 3), np.float32)
    assert tensors.dtype == np.float32
    assert np.array_equal(tensors, VALUES.reshape(4, 2, 3)[start:])
    if start < 4:
        assert tensors.ctypes.data == data_of(column).address + start * 24
    assert not tensors.flags.writeable


@pytest.mark.parametrize("name", COLUMNS)
def test_fixed_shape_tensors_are_on_the_columns_memory(name: str) -> None:
    column = COLUMNS[name].slice(1)
    tensors = as_tensors(column, [2, 3], "float32")
    assert tensors.type == pa.fixed_shape_tensor(pa.float32(), [2, 3])
    assert data_of(tensors).address == data_of(column).address + 24
    assert np.array_equal(tensors.to_numpy_ndarray(), VALUES.reshape(4, 2, 3)[1:])


def test_bytes_are_uint8_by_default() -> None:
    images = tensor_batch(pa.array([b"\x00\xff", b"\x01\x02"]), (1, 2))
    assert images.dtype == np.uint8
    assert images.tolist() == [[[0, 255]], [[1, 2]]]


def test_a_batch_keeps_the_memory_alive() -> None:
    memory = VALUES.tobytes()
    before = sys.getrefcount(memory)
    column = pa.Array.from_buffers(pa.binary(24), 4, [None, pa.py_buffer(memory)])
    tensors = [tensor_batch(column, (6,), "f4"), as_tensors(column, (6,), "f4")]
    del column
    for made in tensors[:]:
        assert sys.getrefcount(memory) > before
        tensors.remove(made)
        del made
    assert sys.getrefcount(memory) == before


@given(
    st.sampled_from(["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"]),
    st.lists(st.integers(1, 4), min_size=1, max_size=4),
    st.integers(0, 5),
)
def test_columns_of_tensors_return(dtype: str, shape: "list[int]", count: int) -> None:
    values = np.arange(count * int(np.prod(shape))).astype(dtype).reshape(count, *shape)
    column = column_of(values)
    assert len(column) == count
    assert np.array_equal(tensor_batch(column, shape, dtype), values)
    if count:
        assert column.buffers()[-1].address == values.ctypes.data


def test_an_array_of_one_dimension_is_a_column_of_single_values() -> None:
    column = column_of(VALUES)
    assert column.type == pa.float32()
    assert column.buffers()[-1].address == VALUES.ctypes.data


def test_rows_may_be_empty() -> None:
    assert column_of(np.zeros((2, 0))).to_pylist() == [[], []]


def test_an_empty_column_may_come_without_offsets() -> None:
    column = pa.Array.from_buffers(
        pa.list_(pa.float64()), 0, [None, None], children=[pa.array([], pa.float64())]
    )
    assert tensor_batch(column, (2, 3)).shape == (0, 2, 3)


def test_what_numpy_lays_out_differently_is_copied_in_order() -> None:
    assert column_of(np.asfortranarray([[1, 2], [3, 4]])).to_pylist() == [[1, 2], [3, 4]]
    assert column_of(np.array([1, 2], ">i4")).to_pylist() == [1, 2]
    assert column_of(VALUES[::-6]).to_pylist() == [23.0, 17.0, 11.0, 5.0]


@pytest.mark.parametrize(
    ("column", "arguments", "error", "said"),
    [
        (pa.array([[1.0] * 6, [1.0] * 5]), [(2, 3)], ValueError, "row 1 has 5 values, expected 6"),
        (pa.array([b"abc", b"ab"]), [(3,)], ValueError, r"row 1 has 2 bytes, expected 3 .*\(3,\)"),
        (pa.array([b"abcd"], pa.binary(4)), [(3,)], ValueError, "row 0 has 4 bytes, expected 3"),
        (pa.array([[1, 2]], pa.list_(pa.int8(), 2)), [(3,)], ValueError, "row 0 has 2 values"),
        (pa.array([[1], None]), [(1,)], ValueError, "row 1 is null"),
        (pa.array([b"a", None]), [(1,)], ValueError, "row 1 is null"),
        (pa.array([[1, 2], [3, None]]), [(2,)], ValueError, "value 1 of row 1 is null"),
        (pa.array([["a"]]), [(1,)], TypeError, "lists of numbers, got list<item: string>"),
        (pa.array([[True]]), [(1,)], TypeError, "lists of numbers, got list<item: bool>"),
        (pa.array([1.0]), [(1,)], TypeError, "lists of numbers or of binary, got double"),
        ([[1.0]], [(1,)], TypeError, r"expected a pyarrow.Array, got .*'builtins.list'"),
        (lists(), [(6,), "float64"], TypeError, "holds float32, which is not converted to float64"),
        (pa.array([b"a"]), [(1,), "U1"], TypeError, "dtype must be a number's, got <U1"),
        (lists(), [()], ValueError, r"shape must be one or more positive integers, got \(\)"),
        (lists(), [(0,)], ValueError, r"shape must be .* got \(0,\)"),
        (lists(), [(2.5,)], ValueError, r"shape must be .* got \(2.5,\)"),
        (lists(), [6], ValueError, "shape must be .* got 6"),
    ],
)
@pytest.mark.parametrize("make", [tensor_batch, as_tensors])
def test_what_is_no_tensor_is_refused(
    make: Any, column: Any, arguments: "list[Any]", error: Any, said: str
) -> None:
    with pytest.raises(error, match=said):
        make(column, *arguments)


@pytest.mark.parametrize(
    ("values", "error", "said"),
    [
        ([1.0], TypeError, "expected a plain numpy.ndarray, got .*builtins.list"),
        (np.ma.array([1], mask=[True]), TypeError, "expected a plain numpy.ndarray"),
        (np.array([None]), TypeError, "got object"),
        (np.array(1.0), ValueError, "one of no dimension"),
        (np.broadcast_to(np.int8(0), (2**20, 2**12)), ValueError, "at most 2147483647 values"),
    ],
)
def test_what_is_no_column_is_refused(values: Any, error: Any, said: str) -> None:
    with pytest.raises(error, match=said):
        column_of(values)


def test_an_old_pyarrow_has_batches_and_no_fixed_shape_tensors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(pa, "fixed_shape_tensor")
    monkeypatch.setattr(pa, "__version__", "9.0.0")
    assert tensor_batch(lists(), (6,)).shape == (4, 6)
    with pytest.raises(UnsupportedEnvironmentError, match=r"12 or later, but pyarrow 9\.0\.0"):
        as_tensors(lists(), (6,))
