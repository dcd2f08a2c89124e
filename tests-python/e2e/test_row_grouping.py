"""Weights and keys of elements, which the user's functions say: seen from a job."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from py4j.protocol import Py4JJavaError
from pyflink.common import Time, Types
from pyflink_async_batch import AsyncBatchFunction, RowFailure, dead_letters_tag

TIMEOUT = Time.seconds(60)

pytestmark = pytest.mark.own_worker

# For what has nothing to do with the order of results.
once = pytest.mark.parametrize("ordering", ["unordered"], indirect=True)


class Reporting(AsyncBatchFunction[Any, Any]):
    """Writes down each batch; refuses what is called toxic."""

    def __init__(self, report: str) -> None:
        self.report = report

    def write_down(self, inputs: list[Any]) -> None:
        with open(self.report, "a") as report:
            report.write(json.dumps(list(inputs)) + "\n")

    async def async_invoke_batch(self, inputs: list[Any]) -> list[Any]:
        self.write_down(inputs)
        # Long enough for equal elements that follow at once to be there.
        await asyncio.sleep(0.2)
        return [
            RowFailure(ValueError("toxic")) if value == "toxic" else f"{value}!" for value in inputs
        ]


@pytest.fixture
def report(tmp_path: Path) -> Path:
    return tmp_path / "batches"


def batches(report: Path) -> list[Any]:
    return [json.loads(line) for line in report.read_text().splitlines()]


def words(environment: Any, values: list[str], is_typed: bool) -> Any:
    return environment.from_collection(values, Types.STRING() if is_typed else None)


@pytest.mark.parametrize("is_typed", [True, False], ids=["typed", "pickled"])
def test_batches_close_by_the_weight_of_their_elements(
    wait_batch: Any, environment: Any, report: Path, is_typed: bool
) -> None:
    values = ["a" * 4, "b" * 5, "c" * 2, "d" * 30, "e"]
    results = wait_batch(
        words(environment, values, is_typed),
        Reporting(str(report)),
        TIMEOUT,
        100,
        output_type=Types.STRING(),
        weigh=len,
        max_batch_weight=10,
    )
    with results.execute_and_collect() as rows:
        assert sorted(rows) == sorted(f"{value}!" for value in values)
    assert sorted(batches(report)) == [["aaaa", "bbbbb"], ["cc"], ["d" * 30], ["e"]]


@once
def test_only_elements_of_one_length_share_a_batch(
    wait_batch: Any, environment: Any, report: Path
) -> None:
    values = ["a", "b" * 20, "c", "d" * 30, "e", "f" * 200]
    results = wait_batch(
        words(environment, values, True),
        Reporting(str(report)),
        TIMEOUT,
        100,
        batch_timeout=Time.minutes(10),
        output_type=Types.STRING(),
        weigh=len,
        length_buckets=[8, 64],
    )
    with results.execute_and_collect() as rows:
        assert sorted(rows) == sorted(f"{value}!" for value in values)
    assert sorted(batches(report)) == [["a", "c", "e"], ["b" * 20, "d" * 30], ["f" * 200]]


@pytest.mark.parametrize("is_typed", [True, False], ids=["typed", "pickled"])
def test_equal_elements_are_computed_once(
    wait_batch: Any, ordering: str, environment: Any, report: Path, is_typed: bool
) -> None:
    values = ["x", "y", "X", "Y", "x", "z"]
    results = wait_batch(
        words(environment, values, is_typed),
        Reporting(str(report)),
        TIMEOUT,
        100,
        output_type=Types.STRING(),
        coalesce_key=str.lower,
    )
    with results.execute_and_collect() as rows:
        collected = list(rows)
    expected = ["x!", "y!", "x!", "y!", "x!", "z!"]
    assert (collected if ordering == "ordered" else sorted(collected)) == (
        expected if ordering == "ordered" else sorted(expected)
    )
    assert batches(report) == [["x", "y", "z"]]


@once
def test_dead_letters_hold_the_elements_themselves(
    wait_batch: Any, environment: Any, report: Path
) -> None:
    elements = words(environment, ["toxic", "x", "toxic"], True)
    results = wait_batch(
        elements,
        Reporting(str(report)),
        TIMEOUT,
        100,
        output_type=Types.STRING(),
        on_failure="dead_letter",
        weigh=len,
        max_batch_weight=100,
        coalesce_key=lambda word: word if word else None,
    )
    letters = results.get_side_output(dead_letters_tag(elements.get_type()))
    joined = results.union(
        letters.map(
            lambda letter: f"{letter['input']}: {letter['message']}", output_type=Types.STRING()
        )
    )
    with joined.execute_and_collect() as rows:
        assert sorted(rows) == ["toxic: toxic", "toxic: toxic", "x!"]
    assert batches(report) == [["toxic", "x"]]


@once
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"weigh": lambda word: len(word) / 2, "max_batch_weight": 9},
            "weigh must return an int, got 'float' for an element of type 'str'",
        ),
        (
            {"weigh": lambda word: -len(word), "max_batch_weight": 9},
            "weigh must return an int from 0 to 9223372036854775807, got -1",
        ),
        (
            {"coalesce_key": lambda word: (word,)},
            "coalesce_key must return None, a str, bytes or an int, got 'tuple'",
        ),
    ],
    ids=["no int", "negative", "no key"],
)
def test_what_is_no_weight_or_key_fails_the_job(
    wait_batch: Any, environment: Any, report: Path, options: Any, message: str
) -> None:
    results = wait_batch(
        words(environment, ["a"], True), Reporting(str(report)), TIMEOUT, 100, **options
    )
    with pytest.raises(Py4JJavaError) as raised:
        list(results.execute_and_collect())
    assert message in str(raised.value)
