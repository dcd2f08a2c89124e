"""Elements through a Batch API, with the codec in Python and the operator in Java."""

from typing import Any, Callable

import pytest
from py4j.protocol import Py4JJavaError
from pyflink.common import Row, Types
from pyflink.datastream import StreamExecutionEnvironment
from pyflink_async_batch import BatchCodec, BatchInference

# The codec runs in functions of PyFlink's own. Those need, in the JVM, an environment whose 'bin'
# is on the PATH, which is not this package's doing.
pytestmark = pytest.mark.process_mode

ROWS = 25


class Judge(BatchCodec[Any, Row]):
    """Asks about a row's text; the stub repeats the question."""

    def open(self, runtime_context: Any) -> None:
        self.model = "some-model"

    def request(self, value: Any) -> Any:
        return {"model": self.model, "messages": [{"role": "user", "content": value.text}]}

    def result(self, value: Any, response: Any) -> Row:
        return Row(value.id, response["choices"][0]["message"]["content"].upper())


class Faulty(BatchCodec[int, int]):
    def request(self, value: int) -> Any:
        if value == 3:
            raise ValueError("three is refused")
        return {"n": value}

    def result(self, value: int, response: Any) -> int:
        if value == 4:
            raise LookupError("four has no result")
        return int(response["n"]) * 2


def test_elements_come_back_with_their_own_results(
    environment: StreamExecutionEnvironment,
    start_batch_api: Callable[..., Any],
    batch_api_options: Any,
) -> None:
    server = start_batch_api()
    row_type = Types.ROW_NAMED(["id", "text"], [Types.LONG(), Types.STRING()])
    rows = [Row(number, f"grüße {number}\n") for number in range(ROWS)]
    judged = BatchInference.apply(
        environment.from_collection(rows, row_type).key_by(lambda row: row.id % 2),
        Judge(),
        batch_api_options(server),
        output_type=Types.ROW([Types.LONG(), Types.STRING()]),
    )
    with judged.execute_and_collect() as collected:
        results = sorted((row[0], row[1]) for row in collected)
    assert results == [(number, f"GRÜSSE {number}\n") for number in range(ROWS)]
    assert len(server.RequestHandlerClass.provider.jobs) == 3


def test_what_fails_is_put_aside_with_its_element(
    environment: StreamExecutionEnvironment,
    start_batch_api: Callable[..., Any],
    batch_api_options: Any,
) -> None:
    server = start_batch_api(faults={"partial": 1.0})
    results = BatchInference.apply(
        environment.from_collection(list(range(10)), Types.LONG()),
        Faulty(),
        batch_api_options(
            server, request_url="/v1/embeddings", on_failure="side_output", max_resubmissions=0
        ),
        output_type=Types.LONG(),
    )
    failed = results.get_side_output(BatchInference.failed_rows())
    shown = results.map(lambda result: f"ok {result}", Types.STRING()).union(
        failed.map(
            lambda row: f"failed {row.value} {row.code} {row.attempts} {row.message}",
            Types.STRING(),
        )
    )
    with shown.execute_and_collect() as collected:
        lines = set(collected)
    # Nine are sent; the provider answers the first half of them.
    assert lines == {
        "ok 0",
        "ok 2",
        "ok 4",
        "failed 3 request_refused 0 ValueError: three is refused",
        "failed 4 result_refused None LookupError: four has no result",
        *(f"failed {n} server_error 1 this request was not answered" for n in range(5, 10)),
    }


@pytest.mark.parametrize("which", ["three is refused", "four has no result"])
def test_or_fails_the_job_with_pythons_traceback(
    environment: StreamExecutionEnvironment,
    start_batch_api: Callable[..., Any],
    batch_api_options: Any,
    which: str,
) -> None:
    numbers = [3] if "three" in which else [4]
    results = BatchInference.apply(
        environment.from_collection(numbers, Types.LONG()),
        Faulty(),
        batch_api_options(start_batch_api(), api_shape="simple"),
        output_type=Types.LONG(),
    )
    with pytest.raises(Py4JJavaError) as raised, results.execute_and_collect() as collected:
        list(collected)
    shown = raised.value.java_exception.toString() + str(raised.value)
    assert which in shown
