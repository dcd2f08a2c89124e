"""What batch inference becomes: an operator in Java between two functions of PyFlink's own.

The functions run in PyFlink's workers. An element travels through the operator as bytes, beside its
request or its response, so that Java needs to know nothing of its type.
"""

import inspect
import json
import re
from collections.abc import Iterator
from typing import Any, Dict, Optional

import cloudpickle  # type: ignore[import-untyped, unused-ignore]
from pyflink.common import Row, TypeInformation, Types
from pyflink.datastream import DataStream, OutputTag
from pyflink.datastream.functions import MapFunction, ProcessFunction, RuntimeContext
from pyflink.java_gateway import get_gateway

from pyflink_async_batch._graph.transformation import with_refusals_in_python
from pyflink_async_batch.batch_codec import BatchCodec, FailedRow
from pyflink_async_batch.errors import InvalidFunctionError, qualified_name

_REFUSAL = "java.lang.IllegalArgumentException"

#: As in Java.
_MOST_CHARACTERS = 1_000

#: Java's options under the names that they have in Python.
_NAMES = {
    "ml.batch.api.endpoint": "endpoint",
    "ml.batch.size": "batch_size",
    "ml.batch.fill.time": "fill_time",
    "ml.batch.poll.interval": "poll_interval",
    "ml.batch.max.wait": "max_wait",
    "ml.batch.max.jobs": "max_jobs",
    "ml.batch.max.resubmissions": "max_resubmissions",
    "ml.batch.api.request-url": "request_url",
    "ml.batch.api.timeout": "request_timeout",
    "ml.batch.api.max-retries": "max_retries",
    "ml.batch.api.retry-delay": "retry_delay",
    "ml.batch.api.max-result-size": "max_result_bytes",
    "ml.batch.api-key.env": "api_key_env",
}


def require_batch_codec(codec: Any) -> None:
    """:raises InvalidFunctionError: It is no instance of a codec."""
    if isinstance(codec, BatchCodec):
        for method in ("request", "result"):
            if inspect.iscoroutinefunction(getattr(codec, method)):
                raise InvalidFunctionError(
                    f"'{qualified_name(type(codec))}.{method}' must be a plain method, not an "
                    "async one: it makes no calls, the operator does."
                )
        return
    wanted = f"an instance of a subclass of {qualified_name(BatchCodec)}"
    if isinstance(codec, type) and issubclass(codec, BatchCodec):
        raise InvalidFunctionError(
            f"codec must be {wanted}, got the class '{qualified_name(codec)}'."
        )
    raise InvalidFunctionError(f"codec must be {wanted}, got '{qualified_name(type(codec))}'.")


def add_batch_inference(
    data_stream: DataStream,
    codec: "BatchCodec[Any, Any]",
    configuration: Dict[str, str],
    output_type: TypeInformation,
    failed_rows: Optional[OutputTag],
    name: str,
) -> DataStream:
    """
    :param configuration: The options, by their names in a configuration of Flink's.
    :param failed_rows: Where elements go that fail for good; None if they fail the job.
    :raises InvalidFunctionError: Java refuses an option.
    """
    requests = data_stream.map(
        _Requests(codec, failed_rows is not None),
        output_type=Types.ROW([_BYTES(), Types.STRING(), Types.STRING()]),
    ).name(f"{name}: requests")
    j_answered = with_refusals_in_python(
        lambda: get_gateway().jvm.io.asyncbatch.flink.graph.PythonBatchInference.add(
            requests._j_data_stream,
            Types.ROW(
                [_BYTES(), Types.STRING(), Types.STRING(), Types.STRING(), Types.INT()]
            ).get_java_type_info(),
            configuration,
            name,
        ),
        [_REFUSAL],
        lambda reason: InvalidFunctionError("BatchInferenceOptions: " + _in_snake_case(reason)),
    )
    return (
        DataStream(j_answered)
        .process(_Results(codec, failed_rows), output_type=output_type)
        .name(f"{name}: results")
    )


def _BYTES() -> TypeInformation:  # noqa: N802
    return Types.PRIMITIVE_ARRAY(Types.BYTE())


def _in_snake_case(reason: str) -> str:
    return re.sub(r"[a-z][\w.-]*", lambda word: _NAMES.get(word[0], word[0]), reason)


class _Requests(MapFunction):  # type: ignore[misc]
    """Makes of an element a row of its bytes, its request, and why there is none."""

    def __init__(self, codec: "BatchCodec[Any, Any]", puts_aside: bool) -> None:
        self._codec = codec
        self._puts_aside = puts_aside

    def open(self, runtime_context: RuntimeContext) -> None:
        self._codec.open(runtime_context)

    def close(self) -> None:
        self._codec.close()

    def map(self, value: Any) -> Row:
        request = refusal = None
        try:
            request = json.dumps(self._codec.request(value), allow_nan=False)
        except Exception as e:
            if not self._puts_aside:
                raise
            refusal = _told(e)
        return Row(cloudpickle.dumps(value), request, refusal)


class _Results(ProcessFunction):  # type: ignore[misc]
    """Makes results of responses, and failed rows of what has none."""

    def __init__(self, codec: "BatchCodec[Any, Any]", failed_rows: Optional[OutputTag]) -> None:
        self._codec = codec
        self._failed_rows = failed_rows

    def open(self, runtime_context: RuntimeContext) -> None:
        self._codec.open(runtime_context)

    def close(self) -> None:
        self._codec.close()

    def process_element(self, row: Row, ctx: ProcessFunction.Context) -> Iterator[Any]:
        # The job's own elements, as PyFlink's pickled types are.
        element, response, code, message, attempts = row
        value = cloudpickle.loads(bytes(element))
        if response is None:
            yield self._failed_rows, FailedRow(value, code, message, attempts)
            return
        try:
            result = self._codec.result(value, json.loads(response))
        except Exception as e:
            if self._failed_rows is None:
                raise
            failed = FailedRow(value, "result_refused", _told(e), None)
            yield self._failed_rows, failed
            return
        yield result


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:_MOST_CHARACTERS]
