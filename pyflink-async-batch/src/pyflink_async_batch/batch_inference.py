"""Sends the elements of a stream through a provider's Batch API, for half the price of calls."""

from typing import Optional, TypeVar

from pyflink.common import TypeInformation, Types
from pyflink.datastream import DataStream, OutputTag

from pyflink_async_batch._graph.batch_arguments import (
    require_codec,
    require_options,
    require_stream,
    typed,
    values_of,
)
from pyflink_async_batch._graph.batch_inference import add_batch_inference, prepare_environment
from pyflink_async_batch._graph.function_payload import pickled_function
from pyflink_async_batch.batch_codec import BatchCodec
from pyflink_async_batch.batch_options import BatchInferenceOptions
from pyflink_async_batch.options import operator_name

__all__ = ["BatchInference"]

IN = TypeVar("IN")
OUT = TypeVar("OUT")

_DEFAULT_NAME = "batch inference"


class BatchInference:
    """
    Sends the elements of a stream through a provider's Batch API, whose results come minutes or
    hours later at a lower price.

    ::

        >>> results = BatchInference.apply(
        ...     reviews, ReviewCodec(),
        ...     BatchInferenceOptions("https://api.openai.com/v1", batch_size=5_000,
        ...                           max_wait=timedelta(hours=25), on_failure="side_output"),
        ...     output_type=Types.STRING())
        >>> failed = results.get_side_output(BatchInference.failed_rows())
    """

    @staticmethod
    def apply(
        data_stream: DataStream,
        codec: BatchCodec[IN, OUT],
        options: BatchInferenceOptions,
        output_type: Optional[TypeInformation] = None,
        *,
        name: Optional[str] = None,
    ) -> DataStream:
        """
        Adds the operator to the job, between two functions of Python's that run the codec. Each
        element's result leaves once, whatever fails; results leave in any order, but never across
        a watermark, and keep their element's timestamp.

        :param data_stream: The input. The elements of a keyed stream are taken without their keys.
        :param codec: An instance of the codec.
        :param options: How the elements go through the API.
        :param output_type: The type of the results; by default ``Types.PICKLED_BYTE_ARRAY()``.
        :param name: The name of the operator; by default 'batch inference'.
        :return: The results. Elements that failed for good, with ``on_failure="side_output"``, are
                 its side output :func:`failed_rows`.
        :raises AsyncBatchError: An argument or the environment is not accepted. Its subclasses are
                                 also a ``TypeError``, a ``ValueError`` or a ``RuntimeError``.
        """
        # Whatever can be refused is refused before the environment is touched.
        require_stream(data_stream)
        require_codec(codec, BatchCodec)
        require_options(options)
        output_type = typed(output_type)
        operator = _DEFAULT_NAME if name is None else operator_name(name)
        pickled_function(codec)
        prepare_environment(data_stream._j_data_stream.getExecutionEnvironment())
        return add_batch_inference(
            values_of(data_stream),
            codec,
            options.configuration,
            output_type,
            BatchInference.failed_rows() if options.puts_failures_aside else None,
            operator,
        )

    @staticmethod
    def failed_rows() -> OutputTag:
        """The side output of elements that failed for good, as :class:`FailedRow`."""
        return OutputTag("batch-api-failed-rows", Types.PICKLED_BYTE_ARRAY())
