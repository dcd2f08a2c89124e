"""Tables through a Batch API, with statements or a codec of Python's around the operator."""

import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Callable

import cloudpickle
import pytest
from pyflink.common import Row
from pyflink.table import DataTypes, StreamTableEnvironment, Table
from pyflink_async_batch import (
    AsyncBatchError,
    BatchCodec,
    BatchInferenceOptions,
    InvalidFunctionError,
    InvalidOptionError,
    InvalidOptionTypeError,
    UnsupportedTableError,
)
from pyflink_async_batch.table import batch_inference

ROWS = 25

VERDICT = DataTypes.ROW(
    [
        DataTypes.FIELD("verdict", DataTypes.STRING().not_null()),
        DataTypes.FIELD("scores", DataTypes.ARRAY(DataTypes.DOUBLE())),
    ]
)


class Judge(BatchCodec[Row, Row]):
    """The stub repeats the request."""

    def open(self, runtime_context: Any) -> None:
        self.model = "some-model"

    def request(self, value: Row) -> Any:
        if value.id == 3:
            raise ValueError("three is refused")
        return {"model": self.model, "text": value.text, "n": value["id"]}

    def result(self, value: Row, response: Any) -> Row:
        if value.id == 4:
            raise LookupError("four has no result")
        assert response["n"] == value.id
        return Row(response["text"].upper() + response["model"], [value.id / 2])


class Length(BatchCodec[str, int]):
    def request(self, value: str) -> Any:
        return {"text": value}

    def result(self, value: str, response: Any) -> int:
        assert response["text"] == value
        return len(value)


@pytest.fixture(autouse=True)
def pickle_codecs_by_value() -> Iterator[None]:
    """The workers do not have the tests on their path."""
    module = sys.modules[__name__]
    cloudpickle.register_pickle_by_value(module)
    yield
    cloudpickle.unregister_pickle_by_value(module)


def reviews(tables: StreamTableEnvironment, first: int = 10) -> Table:
    # A microsecond is all that Python has of a time: it stays in the JVM.
    tables.execute_sql(
        "CREATE TEMPORARY VIEW reviews AS SELECT id, 'text ' || CAST(id AS STRING) AS text, "
        "TIMESTAMP '2026-01-02 03:04:05.123456789' AS made "
        "FROM (VALUES %s) AS numbers(id)"
        % ", ".join("(%d)" % n for n in range(first, first + ROWS))
    )
    return tables.from_path("reviews")


def collect(table: Table) -> list[Any]:
    with table.execute().collect() as rows:
        return sorted(tuple(row) for row in rows)


@pytest.fixture
def options(start_batch_api: Any, batch_api_options: Any) -> Callable[..., BatchInferenceOptions]:
    def made(**changes: Any) -> BatchInferenceOptions:
        server = start_batch_api(faults=changes.pop("faults", None))
        chosen: BatchInferenceOptions = batch_api_options(
            server, request_url="/v1/embeddings", **changes
        )
        return chosen

    return made


def test_statements_are_all_that_is_around_it(
    tables: StreamTableEnvironment, start_batch_api: Any, batch_api_options: Any
) -> None:
    server = start_batch_api()
    for option, value in batch_api_options(server).configuration.items():
        tables.get_config().set(option, value)
    reviews(tables)
    asked = tables.sql_query(
        "SELECT *, JSON_OBJECT('model' VALUE 'some-model', 'messages' VALUE JSON_ARRAY("
        "JSON_OBJECT('role' VALUE 'user', 'content' VALUE text))) AS request FROM reviews"
    )

    tables.create_temporary_view("answered", batch_inference(asked, "request"))

    assert collect(
        tables.sql_query(
            "SELECT id, JSON_VALUE(response, '$.choices[0].message.content'), "
            "CAST(made AS STRING) FROM answered"
        )
    ) == [
        (number, "text %d" % number, "2026-01-02 03:04:05.123456789")
        for number in range(10, 10 + ROWS)
    ]
    assert len(server.RequestHandlerClass.provider.jobs) == 3


def test_a_codec_sees_its_columns_and_adds_its_own(
    tables: StreamTableEnvironment, options: Any
) -> None:
    judged = batch_inference(
        reviews(tables),
        "text",
        "id",
        codec=Judge(),
        options=options(),
        result_type=VERDICT,
    )
    assert judged.get_schema().get_field_names() == ["id", "text", "made", "verdict", "scores"]
    tables.create_temporary_view("judged", judged)
    assert collect(
        tables.sql_query("SELECT id, text, CAST(made AS STRING), verdict, scores[1] FROM judged")
    ) == [
        (n, "text %d" % n, "2026-01-02 03:04:05.123456789", "TEXT %dsome-model" % n, n / 2)
        for n in range(10, 10 + ROWS)
    ]


def test_what_fails_says_so_in_its_row(tables: StreamTableEnvironment, options: Any) -> None:
    judged = batch_inference(
        reviews(tables, first=0),
        "id",
        "text",
        codec=Judge(),
        options=options(
            batch_size=24, faults={"partial": 1.0}, on_failure="side_output", max_resubmissions=0
        ),
        result_type=VERDICT,
    )
    tables.create_temporary_view("judged", judged)
    rows = collect(
        tables.sql_query(
            "SELECT id, verdict, failure.code, failure.message, failure.attempts FROM judged"
        )
    )
    # The provider answers the first half of what it has, which rows come to in any order.
    assert [row[0] for row in rows] == list(range(ROWS))
    assert rows[3] == (3, None, "request_refused", "ValueError: three is refused", 0)
    outcomes = [row[1:] for row in rows if row[0] not in (3, 4)]
    answered = [outcome for outcome in outcomes if outcome[0] is not None]
    unanswered = [outcome for outcome in outcomes if outcome[0] is None]
    assert all(outcome[1:] == (None, None, None) for outcome in answered)
    assert set(unanswered) == {(None, "server_error", "this request was not answered", 1)}
    refused = (4, None, "result_refused", "LookupError: four has no result", None)
    assert rows[4] == refused or rows[4][2] == "server_error"
    assert len(answered) + (rows[4] == refused) == 12


def test_plain_results_make_one_column(tables: StreamTableEnvironment, options: Any) -> None:
    table = batch_inference(
        reviews(tables),
        "text",
        codec=Length(),
        options=options(),
        result_type=DataTypes.BIGINT(),
        result_name="length",
    )
    assert [(row[0], row[3]) for row in collect(table)] == [
        (number, 7) for number in range(10, 10 + ROWS)
    ]


class FailsOnce(BatchCodec[int, int]):
    """Fails the job once some checkpoints are complete."""

    def __init__(self, checkpoints: str, failed: str) -> None:
        self.checkpoints = checkpoints
        self.failed = failed

    def request(self, value: int) -> Any:
        return {"n": value}

    def result(self, value: int, response: Any) -> int:
        some = any(Path(self.checkpoints).glob("*/chk-[3-9]/_metadata"))
        if some and not Path(self.failed).exists():
            Path(self.failed).touch()
            raise RuntimeError("fails once")
        return int(response["n"]) * 2


def test_each_result_appears_once_whatever_restarts(
    tables: StreamTableEnvironment, start_batch_api: Any, batch_api_options: Any, tmp_path: Path
) -> None:
    server = start_batch_api()
    checkpoints, failed = tmp_path / "checkpoints", tmp_path / "failed"
    for option, value in {
        "execution.checkpointing.interval": "200 ms",
        "execution.checkpointing.dir": checkpoints.as_uri(),
        "execution.checkpointing.num-retained": "1000",
        "restart-strategy.type": "fixed-delay",
        "restart-strategy.fixed-delay.attempts": "1",
        "restart-strategy.fixed-delay.delay": "500 ms",
    }.items():
        tables.get_config().set(option, value)
    tables.execute_sql(
        "CREATE TEMPORARY TABLE numbers (id BIGINT) WITH ('connector' = 'datagen', "
        "'rows-per-second' = '50', 'fields.id.kind' = 'sequence', 'fields.id.start' = '1', "
        "'fields.id.end' = '1000000')"
    )
    doubled = batch_inference(
        tables.from_path("numbers"),
        "id",
        codec=FailsOnce(str(checkpoints), str(failed)),
        options=batch_api_options(server, request_url="/v1/embeddings"),
        result_type=DataTypes.BIGINT(),
        result_name="doubled",
    )
    seen: list[int] = []
    # The input does not end: at its end there are no checkpoints while an operator waits.
    with doubled.execute().collect() as rows:
        for row in rows:
            assert row[1] == 2 * row[0]
            seen.append(row[0])
            # One that was lost would be waited for in vain.
            if failed.exists() and set(range(1, 101)) <= set(seen):
                break
    assert len(seen) == len(set(seen))


def test_a_codec_that_fails_fails_the_job(tables: StreamTableEnvironment, options: Any) -> None:
    judged = batch_inference(
        reviews(tables, first=3),
        "id",
        "text",
        codec=Judge(),
        options=options(),
        result_type=VERDICT,
    )
    with pytest.raises(Exception, match="three is refused"):
        collect(judged)


@pytest.mark.parametrize(
    ("columns", "changes", "error", "message"),
    [
        ([], {}, InvalidOptionTypeError, "columns must be names of columns"),
        (["id", "text"], {}, InvalidOptionError, "columns must be the one that holds requests"),
        (["id"], {}, UnsupportedTableError, "Column 'id' must be a STRING, the request as JSON"),
        (["nobody"], {}, UnsupportedTableError, "has no column 'nobody': it has"),
        (
            ["nobody"],
            {"codec": Length(), "result_type": DataTypes.BIGINT()},
            UnsupportedTableError,
            "has no column 'nobody': it has",
        ),
        (["text"], {"result_name": "id"}, UnsupportedTableError, "already has a column 'id'"),
        (["text"], {"result_name": ""}, InvalidOptionTypeError, "result_name must be"),
        (["text"], {"result_type": VERDICT}, InvalidOptionError, "result_type must be left out"),
        (["text"], {"codec": Length()}, InvalidOptionTypeError, "result_type must be"),
        (["text"], {"codec": Length}, InvalidFunctionError, "got the class"),
        (["text"], {"options": {}}, InvalidOptionTypeError, "options must be"),
        (["text"], {"name": 3}, InvalidOptionTypeError, "name must be"),
        (
            ["text"],
            {"options": BatchInferenceOptions("https://a.example", results_topic="t")},
            InvalidFunctionError,
            "results_topic means nothing to batch inference",
        ),
        (
            ["text"],
            {
                "codec": Length(),
                "result_type": DataTypes.BIGINT(),
                "result_name": "text",
            },
            UnsupportedTableError,
            "already has a column 'text'",
        ),
        (["text"], {"options": None}, InvalidFunctionError, "ml.batch.enabled must be true"),
    ],
)
def test_arguments_are_checked(
    tables: StreamTableEnvironment,
    columns: list[str],
    changes: Any,
    error: "type[AsyncBatchError]",
    message: str,
) -> None:
    arguments = {"options": BatchInferenceOptions("https://a.example"), **changes}
    with pytest.raises(error, match=message):
        batch_inference(reviews(tables), *columns, **arguments)


def test_tables_that_update_rows_are_refused(tables: StreamTableEnvironment) -> None:
    reviews(tables)
    counted = tables.sql_query("SELECT text, COUNT(*) AS n FROM reviews GROUP BY text")
    with pytest.raises(UnsupportedTableError, match="update"):
        batch_inference(counted, "text", options=BatchInferenceOptions("https://a.example"))


def test_options_have_the_names_of_a_configuration() -> None:
    given = BatchInferenceOptions(
        "https://a.example",
        batch_size=5,
        fill_time=timedelta(seconds=1),
        on_failure="side_output",
    )
    taken = BatchInferenceOptions.from_configuration(
        {**given.configuration, "parallelism.default": "3"}
    )
    assert taken == given
    assert taken.puts_failures_aside
    with pytest.raises(InvalidOptionError, match="must be of the options .*ml.batch.size.*siez"):
        BatchInferenceOptions.from_configuration({"ml.batch.siez": "5"})
    with pytest.raises(InvalidOptionTypeError, match="ml.batch.size must be a str"):
        BatchInferenceOptions.from_configuration({"ml.batch.size": 5})  # type: ignore[dict-item]
    with pytest.raises(InvalidOptionTypeError, match="configuration must be"):
        BatchInferenceOptions.from_configuration(None)  # type: ignore[arg-type]
    with pytest.raises(InvalidOptionError, match="ml.batch.api-key must be in the Task") as raised:
        BatchInferenceOptions.from_configuration({"ml.batch.api-key": "sk-secret"})
    assert "secret" not in str(raised.value)
