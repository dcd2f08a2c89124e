"""A codec for Batch APIs as functions on batches, for tables: it runs in our workers."""

import json
from typing import Any

from pyflink.common import Row
from pyflink.datastream.functions import RuntimeContext

from pyflink_async_batch.batch_codec import BatchCodec, request_or_refusal, told
from pyflink_async_batch.function import AsyncBatchFunction


class _CodecCalls(AsyncBatchFunction[Any, Row]):
    def __init__(self, codec: "BatchCodec[Any, Any]", puts_aside: bool) -> None:
        self._codec = codec
        self._puts_aside = puts_aside

    def open(self, runtime_context: RuntimeContext) -> None:
        self._codec.open(runtime_context)

    def close(self) -> None:
        self._codec.close()


class RequestsOfRows(_CodecCalls):
    """Makes of the columns of a row its request, and why there is none."""

    async def async_invoke_batch(self, inputs: list[Any]) -> list[Any]:
        return [Row(*request_or_refusal(self._codec, value, self._puts_aside)) for value in inputs]


class ResultsOfRows(_CodecCalls):
    """
    Makes of the columns of a row and its response the columns of the result. Where failures are put
    aside, a failure comes behind the response, and leaves behind the result.
    """

    def __init__(
        self,
        codec: "BatchCodec[Any, Any]",
        puts_aside: bool,
        columns: "list[str]",
        result_columns: int,
        returns_rows: bool,
    ) -> None:
        """
        :param columns: What the codec takes: plain values of one, a row of several.
        :param result_columns: How many the result has.
        :param returns_rows: Whether the codec's results are rows, whose fields are the columns.
        """
        super().__init__(codec, puts_aside)
        self._columns = columns
        self._result_columns = result_columns
        self._returns_rows = returns_rows

    async def async_invoke_batch(self, inputs: list[Any]) -> list[Any]:
        return [self._result(row) for row in inputs]

    def _result(self, row: Row) -> Row:
        value = self._value(row)
        if not self._puts_aside:
            return Row(*self._fields(value, row[len(self._columns)]))
        failure = row[len(self._columns) + 1]
        if failure is None:
            try:
                return Row(*self._fields(value, row[len(self._columns)]), None)
            except Exception as e:
                failure = Row("result_refused", told(e), None)
        return Row(*[None] * self._result_columns, failure)

    def _value(self, row: Row) -> Any:
        if len(self._columns) == 1:
            return row[0]
        value = Row(*[row[position] for position in range(len(self._columns))])
        value.set_field_names(self._columns)
        return value

    def _fields(self, value: Any, response: str) -> "list[Any]":
        result = self._codec.result(value, json.loads(response))
        if not self._returns_rows:
            return [result]
        fields = list(result)
        if len(fields) != self._result_columns:
            raise ValueError(
                f"the codec's result has {len(fields)} fields, its type says {self._result_columns}"
            )
        return fields
