"""What batch inference refuses before a job starts, and how Java is told what was asked for."""

import threading
from datetime import timedelta
from typing import Any, Callable

import pytest
from pyflink.common import Duration, Time, Types
from pyflink.datastream import StreamExecutionEnvironment
from pyflink_async_batch import (
    AsyncBatchError,
    BatchCodec,
    BatchInference,
    BatchInferenceCollector,
    BatchInferenceOptions,
    BatchInferenceSubmitter,
    FunctionNotPicklableError,
    InvalidFunctionError,
    InvalidOptionError,
    InvalidOptionTypeError,
    RequestCodec,
    ResultCodec,
)

ENDPOINT = "https://api.example/v1"


class Echo(BatchCodec[str, str]):
    def request(self, value: str) -> Any:
        return {"text": value}

    def result(self, value: str, response: Any) -> str:
        return str(response["text"])


class Asynchronous(Echo):
    async def request(self, value: str) -> Any:
        return {"text": value}


def apply(**changes: Any) -> Any:
    environment = StreamExecutionEnvironment.get_execution_environment()
    arguments = {
        "data_stream": environment.from_collection(["a"], Types.STRING()),
        "codec": Echo(),
        "options": BatchInferenceOptions(ENDPOINT),
        **changes,
    }
    return BatchInference.apply(**arguments)


class Ask(RequestCodec[str]):
    def request(self, value: str) -> Any:
        return {"text": value}


class Answer(ResultCodec[str]):
    def result(self, custom_id: str, response: Any) -> str:
        return str(response["text"])


def submit(**changes: Any) -> Any:
    environment = StreamExecutionEnvironment.get_execution_environment()
    arguments = {
        "data_stream": environment.from_collection(["a"], Types.STRING()),
        "codec": Ask(),
        "options": BatchInferenceOptions(ENDPOINT),
        **changes,
    }
    return BatchInferenceSubmitter.apply(**arguments)


def collect(**changes: Any) -> Any:
    environment = StreamExecutionEnvironment.get_execution_environment()
    arguments = {
        "data_stream": environment.from_collection(["{}"], Types.STRING()),
        "codec": Answer(),
        "options": BatchInferenceOptions(ENDPOINT),
        **changes,
    }
    return BatchInferenceCollector.apply(**arguments)


def test_what_is_left_out_is_left_to_java() -> None:
    assert BatchInferenceOptions(ENDPOINT).configuration == {
        "ml.batch.enabled": "true",
        "ml.batch.api.endpoint": ENDPOINT,
    }


def test_every_option_has_its_name_in_java() -> None:
    options = BatchInferenceOptions(
        ENDPOINT,
        batch_size=500,
        fill_time=timedelta(seconds=2),
        poll_interval=Time.seconds(3),
        max_wait=Duration.of_hours(25),
        max_jobs=7,
        max_resubmissions=0,
        on_failure="side_output",
        api_shape="simple",
        request_url="/v1/embeddings",
        batch_number="b-{subtask}-{number}",
        local_dir="/data/batches",
        submit_after_checkpoint=False,
        request_timeout=timedelta(minutes=2),
        max_retries=0,
        retry_delay=timedelta(milliseconds=5),
        max_result_bytes=4096,
        api_key_env="KEY",
        api_key_file="/run/key",
    )
    assert options.configuration == {
        "ml.batch.enabled": "true",
        "ml.batch.api.endpoint": ENDPOINT,
        "ml.batch.size": "500",
        "ml.batch.fill.time": "2000 ms",
        "ml.batch.poll.interval": "3000 ms",
        "ml.batch.max.wait": "90000000 ms",
        "ml.batch.max.jobs": "7",
        "ml.batch.max.resubmissions": "0",
        "ml.batch.on.failure": "side_output",
        "ml.batch.api.shape": "simple",
        "ml.batch.api.request-url": "/v1/embeddings",
        "batch_number": "b-{subtask}-{number}",
        "ml.batch.local.dir": "/data/batches",
        "ml.batch.submit.after-checkpoint": "false",
        "ml.batch.api.timeout": "120000 ms",
        "ml.batch.api.max-retries": "0",
        "ml.batch.api.retry-delay": "5 ms",
        "ml.batch.api.max-result-size": "4096 bytes",
        "ml.batch.api-key.env": "KEY",
        "ml.batch.api-key.file": "/run/key",
    }
    assert apply(options=options) is not None


@pytest.mark.parametrize(
    ("option", "value", "error"),
    [
        ("batch_size", 0, InvalidOptionError),
        ("batch_size", True, InvalidOptionTypeError),
        ("max_resubmissions", -1, InvalidOptionError),
        ("max_retries", "3", InvalidOptionTypeError),
        ("fill_time", timedelta(0), InvalidOptionError),
        ("poll_interval", 10, InvalidOptionTypeError),
        ("on_failure", "ignore", InvalidOptionError),
        ("api_shape", 1, InvalidOptionTypeError),
        ("request_url", " ", InvalidOptionError),
        ("submit_after_checkpoint", 1, InvalidOptionTypeError),
        ("max_result_bytes", 0, InvalidOptionError),
        ("endpoint", None, InvalidOptionTypeError),
        ("endpoint", "", InvalidOptionError),
    ],
)
def test_an_option_out_of_range_is_named(
    option: str, value: Any, error: "type[AsyncBatchError]"
) -> None:
    with pytest.raises(error, match=f"^{option} must be"):
        BatchInferenceOptions(**{"endpoint": ENDPOINT, option: value})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"endpoint": "http://api.example/v1"}, "endpoint must begin with https://"),
        ({"endpoint": "https://u:secret@api.example"}, "see api_key_env for where they belong"),
        ({"batch_number": "all"}, "batch_number must hold {subtask} and {number}"),
        ({"max_wait": timedelta(days=400)}, "max_wait must be between 1 ms and 365 days"),
        ({"request_url": "https://x"}, "request_url must be a path"),
    ],
)
def test_what_java_refuses_has_its_name_here(options: Any, message: str) -> None:
    with pytest.raises(InvalidFunctionError) as raised:
        apply(options=BatchInferenceOptions(**{"endpoint": ENDPOINT, **options}))
    assert message in str(raised.value)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"data_stream": []}, InvalidOptionTypeError, "data_stream must be"),
        ({"codec": Echo}, InvalidFunctionError, "got the class"),
        ({"codec": object()}, InvalidFunctionError, "codec must be an instance"),
        ({"codec": Asynchronous()}, InvalidFunctionError, "must be a plain method"),
        ({"options": {"endpoint": ENDPOINT}}, InvalidOptionTypeError, "options must be"),
        ({"output_type": str}, InvalidOptionTypeError, "output_type must be"),
        ({"name": ""}, InvalidOptionError, "name must be"),
    ],
)
def test_arguments_that_are_refused(
    changes: Any, error: "type[AsyncBatchError]", message: str
) -> None:
    with pytest.raises(error, match=message):
        apply(**changes)


@pytest.mark.parametrize(
    ("call", "options", "message"),
    [
        (apply, {"results_topic": "t"}, "results_topic means nothing to batch inference"),
        (submit, {"max_wait": timedelta(hours=1)}, "max_wait means nothing to a submitter"),
        (submit, {"max_result_bytes": 5}, "max_result_bytes means nothing to a submitter"),
        (submit, {"results_topic": "a topic"}, "results_topic must be a topic's name"),
        (collect, {"batch_size": 5}, "batch_size means nothing to a collector"),
        (collect, {"fill_time": timedelta(hours=1)}, "fill_time means nothing to a collector"),
        (collect, {"max_resubmissions": 1}, "max_resubmissions means nothing to a collector"),
        (collect, {"results_topic": "t"}, "results_topic means nothing to a collector"),
        (
            collect,
            {"submit_after_checkpoint": False},
            "submit_after_checkpoint means nothing to a collector",
        ),
    ],
)
def test_options_that_would_be_set_in_vain_are_refused(
    call: Callable[..., Any], options: Any, message: str
) -> None:
    with pytest.raises(InvalidFunctionError) as raised:
        call(options=BatchInferenceOptions(ENDPOINT, **options))
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("call", "changes", "error", "message"),
    [
        (submit, {"data_stream": []}, InvalidOptionTypeError, "data_stream must be"),
        (submit, {"codec": Answer()}, InvalidFunctionError, "subclass of .*RequestCodec"),
        (submit, {"options": None}, InvalidOptionTypeError, "options must be"),
        (submit, {"name": 3}, InvalidOptionTypeError, "name must be"),
        (collect, {"codec": Echo()}, InvalidFunctionError, "subclass of .*ResultCodec"),
        (collect, {"codec": Answer}, InvalidFunctionError, "got the class"),
        (collect, {"options": {}}, InvalidOptionTypeError, "options must be"),
        (collect, {"output_type": int}, InvalidOptionTypeError, "output_type must be"),
    ],
)
def test_arguments_of_two_jobs_that_are_refused(
    call: Callable[..., Any], changes: Any, error: "type[AsyncBatchError]", message: str
) -> None:
    with pytest.raises(error, match=message):
        call(**changes)


def test_a_collector_takes_strings_keyed_or_not() -> None:
    environment = StreamExecutionEnvironment.get_execution_environment()
    strings = environment.from_collection(["{}"], Types.STRING())
    with pytest.raises(InvalidOptionTypeError, match=r"data_stream's type must be Types.STRING"):
        collect(data_stream=environment.from_collection([1], Types.LONG()))
    with pytest.raises(InvalidOptionTypeError, match=r"data_stream's type must be Types.STRING"):
        collect(data_stream=strings.map(lambda batch: batch))
    assert collect(data_stream=strings.key_by(lambda batch: batch[0])) is not None


def test_a_submitter_takes_the_codec_of_both_ways_and_gives_strings() -> None:
    batches = submit(codec=Echo(), options=BatchInferenceOptions(ENDPOINT, results_topic="results"))
    assert batches.get_type() == Types.STRING()


def test_results_come_with_their_request() -> None:
    assert collect(output_type=Types.LONG()).get_type().get_field_names() == [
        "batch_id",
        "custom_id",
        "results_topic",
        "result",
    ]


def test_a_codec_that_cannot_travel_is_refused() -> None:
    codec = Echo()
    codec.lock = threading.Lock()  # type: ignore[attr-defined]
    with pytest.raises(FunctionNotPicklableError, match="attribute 'lock'"):
        apply(codec=codec)


def test_options_are_values() -> None:
    make: Callable[[], BatchInferenceOptions] = lambda: BatchInferenceOptions(  # noqa: E731
        ENDPOINT, batch_size=5
    )
    assert make() == make()
    assert hash(make()) == hash(make())
    with pytest.raises(AttributeError):
        make().configuration = {}  # type: ignore[misc]
