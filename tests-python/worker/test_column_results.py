"""Columns some of whose rows have no result, and columns of some rows alone."""

from typing import Any, List

import numpy as np
import pyarrow as pa
import pytest
from codec_calls import decode
from codec_strategies import Batch, column_batches
from codec_types import schema_of
from column_calls import METHOD, shown, view_of
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pyflink.common import Types
from pyflink_async_batch import ColumnResults
from pyflink_async_batch._worker.result_check import InvalidResultError, Results
from pyflink_async_batch._worker.result_encoder import MisfitResultError
from test_codec_properties import same


def elements_of(type_info: Any, results: Results, rows: int) -> List[Any]:
    batch = view_of(type_info).encode(results)
    batch.validate(full=True)
    return decode(schema_of(type_info), batch.serialize(), rows)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(column_batches(), st.data())
def test_rows_that_failed_are_left_out(batch: Batch, data: st.DataObject) -> None:
    count = len(batch.values)
    assume(count)
    bad = data.draw(st.sets(st.integers(0, count - 1), max_size=count - 1))
    columns = shown(batch.type_info, batch.values)
    results = view_of(batch.type_info).check(
        ColumnResults(columns, dict.fromkeys(bad, "bad")), METHOD, count
    )
    good = [value for row, value in enumerate(batch.values) if row not in bad]
    assert same(elements_of(batch.type_info, results, len(good)), good)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(column_batches(), st.data())
def test_rows_are_picked_in_any_order(batch: Batch, data: st.DataObject) -> None:
    count = len(batch.values)
    assume(count)
    positions = data.draw(st.permutations(range(count)))[: data.draw(st.integers(1, count))]
    view = view_of(batch.type_info)
    columns = shown(batch.type_info, batch.values)
    picked = view.pick(view.check(columns, METHOD, count), positions)
    expected = [batch.values[position] for position in positions]
    assert same(elements_of(batch.type_info, picked, len(positions)), expected)


def test_failures_are_parted_and_picked_with_their_rows() -> None:
    view = view_of(Types.LONG())
    values = np.arange(5)
    results = view.check(ColumnResults(values, {1: "one", 4: "four"}), METHOD, 5)
    first, second, third = view.part(results, [2, 2, 1])
    assert {row: why.error for row, why in first.failures.items()} == {1: "one"}
    assert list(second) == [2, 3]
    assert {row: why.error for row, why in third.failures.items()} == {0: "four"}
    picked = view.pick(results, [4, 0])
    assert {row: why.error for row, why in picked.failures.items()} == {0: "four"}
    assert list(picked.values) == [4, 0]


def test_what_rows_that_failed_hold_is_not_looked_at() -> None:
    view = view_of(Types.LONG())
    values = pa.array([1, None, 2**63, 4], pa.uint64())
    results = view.check(ColumnResults(values, {1: "null", 2: "too large"}), METHOD, 4)
    assert elements_of(Types.LONG(), results, 2) == [1, 4]


def test_a_misfit_is_named_by_its_row() -> None:
    view = view_of(Types.LONG())
    results = view.check(ColumnResults(pa.array([None, 2, None]), {0: "bad"}), METHOD, 3)
    with pytest.raises(MisfitResultError) as raised:
        view.encode(results)
    assert raised.value.index == 2


@pytest.mark.parametrize("row", [-1, 3])
def test_a_failure_is_one_of_a_row(row: int) -> None:
    with pytest.raises(InvalidResultError, match=f"failure of row {row}, which is none of its 3"):
        view_of(Types.LONG()).check(ColumnResults(np.arange(3), {row: "bad"}), METHOD, 3)


def test_columns_with_failures_have_a_row_for_each_input() -> None:
    with pytest.raises(InvalidResultError, match="one row for each of the 3 inputs, but has 2"):
        view_of(Types.LONG()).check(ColumnResults(np.arange(2), {0: "bad"}), METHOD, 3)


@pytest.mark.parametrize(
    ("indexes", "rows"),
    [(1, [1]), ([2, 0], [2, 0]), (range(2), [0, 1]), (np.array([1, 2]), [1, 2])],
)
def test_indexes_are_one_or_several(indexes: Any, rows: List[int]) -> None:
    given_rows, results = view_of(Types.LONG()).yielded((indexes, np.arange(len(rows))), METHOD)
    assert list(given_rows) == rows
    assert list(results.values) == list(range(len(rows)))


def test_indexes_of_arrow_are_taken() -> None:
    rows, _ = view_of(Types.LONG()).yielded((pa.array([3, 4]), np.arange(2)), METHOD)
    assert list(rows) == [3, 4]


@pytest.mark.parametrize(
    ("item", "complaint"),
    [
        (np.arange(2), "pairs of indexes and columns with as many rows, but yielded 'ndarray'"),
        (([0, 1], np.arange(3)), "does not fit its 2 indexes: .* 2 inputs, but has 3"),
        (([0.5], np.arange(1)), "index of a row as an int, but it is of type 'float'"),
        ((np.zeros((1, 1)), np.arange(1)), "as an int, but it is of type 'ndarray'"),
        ((0, 7), "does not fit its 1 indexes: .* but is of type 'int'"),
    ],
)
def test_what_is_yielded_must_be_rows(item: Any, complaint: str) -> None:
    with pytest.raises(InvalidResultError, match=complaint):
        view_of(Types.LONG()).yielded(item, METHOD)
