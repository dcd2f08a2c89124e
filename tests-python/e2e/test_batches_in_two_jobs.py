"""One job submits to a Batch API and another collects, with the codecs in Python."""

import json
from pathlib import Path
from typing import Any, Callable

import pytest
from py4j.java_gateway import get_field
from pyflink.common import Configuration, Types, WatermarkStrategy
from pyflink.datastream import DataStream, StreamExecutionEnvironment
from pyflink.datastream.connectors.file_system import FileSource, StreamFormat
from pyflink.java_gateway import get_gateway
from pyflink_async_batch import (
    BatchInferenceCollector,
    BatchInferenceSubmitter,
    RequestCodec,
    ResultCodec,
)

# The codecs run in functions of PyFlink's own; see test_batch_api.py.
pytestmark = pytest.mark.process_mode

ROWS = 25

Start = Callable[..., Any]
Options = Callable[..., Any]


class Ask(RequestCodec[int]):
    def open(self, runtime_context: Any) -> None:
        self.factor = 1

    def request(self, value: int) -> Any:
        if value == 3:
            raise ValueError("three is refused")
        return {"n": value * self.factor}


class Answer(ResultCodec[int]):
    """Fails where it is told to, if it has not failed before."""

    def __init__(self, fails_after: int = 0, failed: str = "") -> None:
        self.fails_after = fails_after
        self.failed = failed

    def open(self, runtime_context: Any) -> None:
        self.results = 0

    def result(self, custom_id: str, response: Any) -> int:
        if response["n"] == 4:
            raise LookupError("four has no result")
        self.results += 1
        if self.fails_after and self.results > self.fails_after and not Path(self.failed).exists():
            Path(self.failed).touch()
            raise RuntimeError("fails once")
        return int(response["n"]) * 2


@pytest.fixture
def submit(
    environment: StreamExecutionEnvironment, batch_api_options: Options
) -> Callable[..., tuple[list[str], dict[str, int], list[str]]]:
    """Runs the first job: the batches, the rows by their ids, and what was put aside."""

    def run(
        server: Any, first: int = 0, **options: Any
    ) -> tuple[list[str], dict[str, int], list[str]]:
        batches = BatchInferenceSubmitter.apply(
            environment.from_collection(list(range(first, first + ROWS)), Types.LONG()),
            Ask(),
            batch_api_options(
                server, request_url="/v1/embeddings", on_failure="side_output", **options
            ),
        )
        rows = batches.get_side_output(BatchInferenceSubmitter.submitted_rows())
        failed = batches.get_side_output(BatchInferenceSubmitter.failed_rows())
        lines = batches.union(
            rows.map(lambda row: f"row {row.custom_id} {row.value}", Types.STRING()),
            failed.map(lambda row: f"failed {row.value} {row.code} {row.message}", Types.STRING()),
        )
        with lines.execute_and_collect() as collected:
            told = list(collected)
        by_id = [line.split()[1:] for line in told if line.startswith("row ")]
        assert len({custom_id for custom_id, _ in by_id}) == len(by_id)
        return (
            [line for line in told if line.startswith("{")],
            {custom_id: int(value) for custom_id, value in by_id},
            [line for line in told if line.startswith("failed ")],
        )

    return run


def topic(environment: StreamExecutionEnvironment, path: Path, batches: list[str]) -> DataStream:
    """What is between two jobs, and takes part in checkpoints."""
    path.write_text("".join(f"{batch}\n" for batch in batches))
    source = FileSource.for_record_stream_format(StreamFormat.text_line_format(), str(path))
    return environment.from_source(
        source.build(), WatermarkStrategy.no_watermarks(), "batches", Types.STRING()
    )


def rewritten_by_java(batch: str) -> str:
    schema = get_gateway().jvm.io.asyncbatch.flink.batchapi.SubmittedBatchSchema()
    read = schema.deserialize(bytearray(batch.encode()))
    assert get_field(read, "batchId") == json.loads(batch)["batch_id"]
    assert get_field(read, "recordCount") == json.loads(batch)["record_count"]
    return bytes(schema.serialize(read)).decode()


def test_each_row_has_one_outcome_whichever_language_wrote_the_batches(
    environment: StreamExecutionEnvironment,
    submit: Any,
    start_batch_api: Start,
    batch_api_options: Options,
    tmp_path: Path,
) -> None:
    server = start_batch_api()
    provider = server.RequestHandlerClass.provider

    batches, rows, refused = submit(server, results_topic="results")

    assert refused == ["failed 3 request_refused ValueError: three is refused"]
    assert sorted(rows.values()) == [row for row in range(ROWS) if row != 3]
    assert [list(json.loads(batch)) for batch in batches] == 3 * [
        [
            "batch_id",
            "submitted_at",
            "record_count",
            "input_file",
            "results_topic",
            "api_endpoint",
            "status",
            "batch_number",
            "custom_id_prefix",
        ]
    ]
    assert {json.loads(batch)["batch_id"] for batch in batches} == set(provider.jobs)
    assert [rewritten_by_java(batch) for batch in batches] == batches

    # One batch fails at the provider.
    failing = provider.jobs[json.loads(batches[1])["batch_id"]]
    failing.fault = "failed"
    lost = {line["custom_id"] for line in failing.lines}
    results = BatchInferenceCollector.apply(
        topic(environment, tmp_path / "topic", [rewritten_by_java(batch) for batch in batches]),
        Answer(),
        batch_api_options(server, batch_size=None, fill_time=None, on_failure="side_output"),
        output_type=Types.LONG(),
    )
    failed = results.get_side_output(BatchInferenceCollector.failed_requests())
    outcomes = results.map(
        lambda row: f"ok {row.batch_id} {row.custom_id} {row.results_topic} {row.result}",
        Types.STRING(),
    ).union(
        failed.map(
            lambda row: (
                f"{row.code} {row.value.batch_id} {row.value.custom_id} "
                f"{row.value.results_topic} {row.attempts}"
            ),
            Types.STRING(),
        )
    )
    with outcomes.execute_and_collect() as collected:
        lines = [line.split() for line in collected]

    assert sorted(custom_id for _, _, custom_id, _, _ in lines) == sorted(rows)
    assert {batch_id for _, batch_id, _, _, _ in lines} == set(provider.jobs)
    assert {results_topic for _, _, _, results_topic, _ in lines} == {"results"}
    for code, _, custom_id, _, last in lines:
        if custom_id in lost:
            assert (code, last) == ("invalid_request", "1")
        elif rows[custom_id] == 4:
            assert (code, last) == ("result_refused", "None")
        else:
            assert (code, int(last)) == ("ok", 2 * rows[custom_id])
    assert len(provider.jobs) == 3


def test_a_collector_that_restarts_adopts_the_jobs_that_it_had(
    environment: StreamExecutionEnvironment,
    submit: Any,
    start_batch_api: Start,
    batch_api_options: Options,
    open_source: Any,
    tmp_path: Path,
) -> None:
    server = start_batch_api()
    provider = server.RequestHandlerClass.provider
    batches, rows, _ = submit(server, first=10)
    checkpoints = tmp_path / "checkpoints"
    status = provider.status
    asked: set[str] = set()
    needed: list[int] = []

    def status_after_a_checkpoint(job: Any) -> str:
        """A job runs until a checkpoint is complete that began when all had been asked for."""
        asked.add(job.id)
        if asked == set(provider.jobs) and not needed:
            needed.append(completed(checkpoints) + 2)
        is_held = needed and completed(checkpoints) >= needed[0]
        return str(status(job)) if is_held else "in_progress"

    provider.status = status_after_a_checkpoint
    configuration = Configuration()
    configuration.set_string("execution.checkpointing.interval", "50 ms")
    configuration.set_string("execution.checkpointing.dir", checkpoints.as_uri())
    configuration.set_string("restart-strategy.type", "fixed-delay")
    configuration.set_string("restart-strategy.fixed-delay.attempts", "1")
    configuration.set_string("restart-strategy.fixed-delay.delay", "0 ms")
    environment.configure(configuration)
    failed = tmp_path / "failed"

    # The input does not end: at its end there are no checkpoints while an operator waits.
    open_source.write(*batches)
    stream = BatchInferenceCollector.apply(
        open_source.stream(),
        Answer(fails_after=13, failed=str(failed)),
        batch_api_options(server, batch_size=None, fill_time=None),
        output_type=Types.LONG(),
    )
    # What is collected is committed by checkpoints: a result that left twice would be here twice.
    with stream.execute_and_collect() as collected:
        results = [next(collected) for _ in rows]

    assert failed.exists()
    assert sorted((row.custom_id, row.result) for row in results) == sorted(
        (custom_id, 2 * row) for custom_id, row in rows.items()
    )
    assert len(provider.jobs) == 3


def completed(checkpoints: Path) -> int:
    numbers = [
        int(metadata.parent.name[len("chk-") :])
        for metadata in checkpoints.glob("*/chk-*/_metadata")
    ]
    return max(numbers, default=0)


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ("tomorrow", "a submitted batch must be a JSON object"),
        ({"api_endpoint": "https://elsewhere.example/v1"}, "was submitted to another API than"),
    ],
)
def test_what_no_submitter_can_have_written_fails_the_job(
    environment: StreamExecutionEnvironment,
    start_batch_api: Start,
    batch_api_options: Options,
    failure_of: Any,
    batch: Any,
    message: str,
) -> None:
    server = start_batch_api()
    options = batch_api_options(server, batch_size=None, fill_time=None, on_failure="side_output")
    if isinstance(batch, dict):
        good = {
            "batch_id": "batch_1",
            "submitted_at": "2026-01-02T03:04:05Z",
            "record_count": 1,
            "input_file": "file-1",
            "results_topic": "",
            "api_endpoint": options.configuration["ml.batch.api.endpoint"],
            "status": "submitted",
            "batch_number": "batch-0-0",
            "custom_id_prefix": "0" * 32,
        }
        batch = json.dumps({**good, **batch})
    results = BatchInferenceCollector.apply(
        environment.from_collection([batch], Types.STRING()), Answer(), options
    )
    assert message in failure_of(results)
