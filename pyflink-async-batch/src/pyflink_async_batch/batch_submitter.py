"""Submits the elements of a stream to a provider's Batch API; another job collects the results."""

from typing import Optional, TypeVar

from pyflink.common import Types
from pyflink.datastream import DataStream, OutputTag

from pyflink_async_batch._graph.batch_arguments import (
    require_codec,
    require_options,
    require_stream,
    values_of,
)
from pyflink_async_batch._graph.batch_inference import add_batch_submission, prepare_environment
from pyflink_async_batch._graph.function_payload import pickled_function
from pyflink_async_batch.batch_codec import RequestCodec
from pyflink_async_batch.batch_inference import BatchInference
from pyflink_async_batch.batch_options import BatchInferenceOptions
from pyflink_async_batch.options import operator_name

__all__ = ["BatchInferenceSubmitter"]

IN = TypeVar("IN")

_DEFAULT_NAME = "batch submission"


class BatchInferenceSubmitter:
    """
    Submits the elements of a stream to a provider's Batch API and says so, without waiting for
    results: another job, with a :class:`~pyflink_async_batch.BatchInferenceCollector`, does, or
    one in Java, or another program.

    ::

        >>> batches = BatchInferenceSubmitter.apply(
        ...     reviews, ReviewRequests(),
        ...     BatchInferenceOptions("https://api.openai.com/v1", batch_size=5_000))
        >>> batches.sink_to(topic_of_batches)
        >>> rows = batches.get_side_output(BatchInferenceSubmitter.submitted_rows())
    """

    @staticmethod
    def apply(
        data_stream: DataStream,
        codec: "RequestCodec[IN]",
        options: BatchInferenceOptions,
        *,
        name: Optional[str] = None,
    ) -> DataStream:
        """
        Adds the operator to the job, between two functions of Python's. Each batch that the
        provider has is emitted once, whatever fails.

        :param data_stream: The input. The elements of a keyed stream are taken without their keys.
        :param codec: An instance of the codec; a :class:`~pyflink_async_batch.BatchCodec` is one.
        :param options: How the elements go through the API. Those of jobs that wait for results,
                        ``max_wait`` and ``max_result_bytes``, must not be among them.
        :param name: The name of the operator; by default 'batch submission'.
        :return: The batches, as strings of JSON, in the form that docs/batch-api.md shows and
                 Java's ``SubmittedBatchSchema`` reads and writes. Their elements are its side
                 output :func:`submitted_rows`, elements that the provider does not take, with
                 ``on_failure="side_output"``, :func:`failed_rows`. Batches have no timestamps,
                 elements keep theirs.
        :raises AsyncBatchError: An argument or the environment is not accepted. Its subclasses are
                                 also a ``TypeError``, a ``ValueError`` or a ``RuntimeError``.
        """
        # Whatever can be refused is refused before the environment is touched.
        require_stream(data_stream)
        require_codec(codec, RequestCodec)
        require_options(options)
        operator = _DEFAULT_NAME if name is None else operator_name(name)
        pickled_function(codec)
        prepare_environment(data_stream._j_data_stream.getExecutionEnvironment())
        return add_batch_submission(
            values_of(data_stream),
            codec,
            options.configuration,
            BatchInferenceSubmitter.submitted_rows(),
            BatchInferenceSubmitter.failed_rows() if options.puts_failures_aside else None,
            operator,
        )

    @staticmethod
    def submitted_rows() -> OutputTag:
        """
        The side output of the elements of batches that the provider has, as
        :class:`~pyflink_async_batch.SubmittedRow`: each with its ``custom_id``.
        """
        return OutputTag("batch-api-submitted-rows", Types.PICKLED_BYTE_ARRAY())

    @staticmethod
    def failed_rows() -> OutputTag:
        """
        The side output of elements that the provider does not take, as
        :class:`~pyflink_async_batch.FailedRow`.
        """
        return BatchInference.failed_rows()
