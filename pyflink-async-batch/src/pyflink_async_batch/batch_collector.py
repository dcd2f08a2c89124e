"""Collects the results of batches that another job has submitted to a provider's Batch API."""

from typing import Optional, TypeVar

from pyflink.common import TypeInformation, Types
from pyflink.datastream import DataStream, OutputTag

from pyflink_async_batch._graph.batch_arguments import (
    require_codec,
    require_options,
    require_stream_of_strings,
    typed,
    values_of,
)
from pyflink_async_batch._graph.batch_inference import add_batch_collection, prepare_environment
from pyflink_async_batch._graph.function_payload import pickled_function
from pyflink_async_batch.batch_codec import ResultCodec
from pyflink_async_batch.batch_options import BatchInferenceOptions
from pyflink_async_batch.options import operator_name

__all__ = ["BatchInferenceCollector"]

OUT = TypeVar("OUT")

_DEFAULT_NAME = "batch collection"


class BatchInferenceCollector:
    """
    Collects the results of batches that a :class:`~pyflink_async_batch.BatchInferenceSubmitter`, or
    one in Java, has submitted in another job.

    ::

        >>> results = BatchInferenceCollector.apply(
        ...     topic_of_batches, AnswerCodec(),
        ...     BatchInferenceOptions("https://api.openai.com/v1", max_wait=timedelta(hours=25)),
        ...     output_type=Types.STRING())
        >>> results.map(lambda row: (row.custom_id, row.result))
    """

    @staticmethod
    def apply(
        data_stream: DataStream,
        codec: "ResultCodec[OUT]",
        options: BatchInferenceOptions,
        output_type: Optional[TypeInformation] = None,
        *,
        name: Optional[str] = None,
    ) -> DataStream:
        """
        Adds the operator to the job, before a function of Python's that runs the codec. Each
        request's result leaves once, whatever fails, if each batch comes once.

        :param data_stream: The batches, of ``Types.STRING()``, as the submitter writes them. A
                            string that is none, or a batch of another API than the options name,
                            fails the job.
        :param codec: An instance of the codec.
        :param options: How the API is asked. Those of jobs that submit, such as ``batch_size`` or
                        ``max_resubmissions``, must not be among them.
        :param output_type: The type of the codec's results; by default
                            ``Types.PICKLED_BYTE_ARRAY()``.
        :param name: The name of the operator; by default 'batch collection'.
        :return: Rows with the fields ``batch_id``, ``custom_id``, ``results_topic`` (strings) and
                 ``result``. Requests without a result, with ``on_failure="side_output"``, are its
                 side output :func:`failed_requests`. Both have the timestamp of their batch's
                 element, and watermarks wait for them.
        :raises AsyncBatchError: An argument or the environment is not accepted. Its subclasses are
                                 also a ``TypeError``, a ``ValueError`` or a ``RuntimeError``.
        """
        # Whatever can be refused is refused before the environment is touched.
        require_stream_of_strings(data_stream)
        require_codec(codec, ResultCodec)
        require_options(options)
        result_type = typed(output_type)
        operator = _DEFAULT_NAME if name is None else operator_name(name)
        pickled_function(codec)
        prepare_environment(data_stream._j_data_stream.getExecutionEnvironment())
        return add_batch_collection(
            values_of(data_stream),
            codec,
            options.configuration,
            result_type,
            BatchInferenceCollector.failed_requests() if options.puts_failures_aside else None,
            operator,
        )

    @staticmethod
    def failed_requests() -> OutputTag:
        """
        The side output of requests that have no result, as
        :class:`~pyflink_async_batch.FailedRow`, whose value is a
        :class:`~pyflink_async_batch.RequestId`.
        """
        return OutputTag("batch-api-failed-requests", Types.PICKLED_BYTE_ARRAY())
