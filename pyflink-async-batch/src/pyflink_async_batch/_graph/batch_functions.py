"""The functions of PyFlink's own around the operators for Batch APIs: they run the codec.

They run in PyFlink's workers. An element travels through the operator as bytes, beside its request
or its response, so that Java needs to know nothing of its type.
"""

import json
from collections.abc import Iterator
from typing import Any, Optional

import cloudpickle  # type: ignore[import-untyped, unused-ignore]
from pyflink.common import Row
from pyflink.datastream import OutputTag
from pyflink.datastream.functions import MapFunction, ProcessFunction, RuntimeContext

from pyflink_async_batch.batch_codec import (
    BatchCodec,
    FailedRow,
    RequestCodec,
    RequestId,
    ResultCodec,
    SubmittedRow,
    request_or_refusal,
    told,
)


class Requests(MapFunction):  # type: ignore[misc]
    """Makes of an element a row of its bytes, its request, and why there is none."""

    def __init__(self, codec: "RequestCodec[Any]", puts_aside: bool) -> None:
        self._codec = codec
        self._puts_aside = puts_aside

    def open(self, runtime_context: RuntimeContext) -> None:
        self._codec.open(runtime_context)

    def close(self) -> None:
        self._codec.close()

    def map(self, value: Any) -> Row:
        request, refusal = request_or_refusal(self._codec, value, self._puts_aside)
        return Row(cloudpickle.dumps(value), request, refusal)


class Results(ProcessFunction):  # type: ignore[misc]
    """Makes results of responses, and failed rows of what has none."""

    def __init__(self, codec: "BatchCodec[Any, Any]", failed_rows: Optional[OutputTag]) -> None:
        self._codec = codec
        self._failed_rows = failed_rows

    def open(self, runtime_context: RuntimeContext) -> None:
        self._codec.open(runtime_context)

    def close(self) -> None:
        self._codec.close()

    def process_element(self, row: Row, ctx: ProcessFunction.Context) -> Iterator[Any]:
        element, response, code, message, attempts = row
        value = _element(element)
        if response is None:
            yield self._failed_rows, FailedRow(value, code, message, attempts)
            return
        try:
            result = self._codec.result(value, json.loads(response))
        except Exception as e:
            if self._failed_rows is None:
                raise
            yield self._failed_rows, _refused(value, e)
            return
        yield result


class SubmissionOutputs(ProcessFunction):  # type: ignore[misc]
    """Tells batches, their elements and elements that the provider does not take apart."""

    def __init__(self, submitted_rows: OutputTag, failed_rows: Optional[OutputTag]) -> None:
        self._submitted_rows = submitted_rows
        self._failed_rows = failed_rows

    def process_element(self, row: Row, ctx: ProcessFunction.Context) -> Iterator[Any]:
        batch, element, custom_id, code, message, attempts = row
        if batch is not None:
            yield batch
        elif custom_id is not None:
            yield self._submitted_rows, SubmittedRow(custom_id, _element(element))
        else:
            yield self._failed_rows, FailedRow(_element(element), code, message, attempts)


class CollectedResults(ProcessFunction):  # type: ignore[misc]
    """Makes rows of a request and its result, and failed rows of requests without one."""

    def __init__(self, codec: "ResultCodec[Any]", failed_requests: Optional[OutputTag]) -> None:
        self._codec = codec
        self._failed_requests = failed_requests

    def open(self, runtime_context: RuntimeContext) -> None:
        self._codec.open(runtime_context)

    def close(self) -> None:
        self._codec.close()

    def process_element(self, row: Row, ctx: ProcessFunction.Context) -> Iterator[Any]:
        batch_id, custom_id, results_topic, response, code, message, attempts = row
        request = RequestId(batch_id, custom_id, results_topic)
        if response is None:
            yield self._failed_requests, FailedRow(request, code, message, attempts)
            return
        try:
            result = self._codec.result(custom_id, json.loads(response))
        except Exception as e:
            if self._failed_requests is None:
                raise
            yield self._failed_requests, _refused(request, e)
            return
        yield Row(batch_id, custom_id, results_topic, result)


def _element(pickled: Any) -> Any:
    # The job's own elements, as PyFlink's pickled types are.
    return cloudpickle.loads(bytes(pickled))


def _refused(value: Any, error: Exception) -> "FailedRow[Any]":
    return FailedRow(value, "result_refused", told(error), None)
