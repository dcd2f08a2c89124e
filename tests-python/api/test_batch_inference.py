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
    BatchInferenceOptions,
    FunctionNotPicklableError,
    InvalidFunctionError,
    InvalidOptionError,
    InvalidOptionTypeError,
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
