"""What the calls for Batch APIs become: an operator in Java beside functions of PyFlink's own."""

import re
from typing import Any, Callable, Dict, Optional

from pyflink.common import TypeInformation, Types
from pyflink.datastream import DataStream, OutputTag
from pyflink.java_gateway import get_gateway

from pyflink_async_batch._graph.batch_functions import (
    CollectedResults,
    Requests,
    Results,
    SubmissionOutputs,
)
from pyflink_async_batch._graph.bundled_jar import add_bundled_jar
from pyflink_async_batch._graph.execution_environment import (
    default_to_this_interpreter,
    environment_configuration,
    require_usable_execution_mode,
)
from pyflink_async_batch._graph.transformation import with_refusals_in_python
from pyflink_async_batch.batch_codec import BatchCodec, RequestCodec, ResultCodec
from pyflink_async_batch.errors import InvalidFunctionError

_REFUSAL = "java.lang.IllegalArgumentException"

#: Java's options under the names that they have in Python.
_NAMES = {
    "ml.batch.api.endpoint": "endpoint",
    "ml.batch.size": "batch_size",
    "ml.batch.fill.time": "fill_time",
    "ml.batch.poll.interval": "poll_interval",
    "ml.batch.max.wait": "max_wait",
    "ml.batch.max.jobs": "max_jobs",
    "ml.batch.max.resubmissions": "max_resubmissions",
    "ml.batch.submit.after-checkpoint": "submit_after_checkpoint",
    "ml.batch.results.topic": "results_topic",
    "ml.batch.api.request-url": "request_url",
    "ml.batch.api.timeout": "request_timeout",
    "ml.batch.api.max-retries": "max_retries",
    "ml.batch.api.retry-delay": "retry_delay",
    "ml.batch.api.max-result-size": "max_result_bytes",
    "ml.batch.api-key.env": "api_key_env",
}


def prepare_environment(j_environment: Any) -> None:
    """
    Has the environment's jobs carry the bundled jar, where the gateway finds the Java side too.

    :raises UnsupportedEnvironmentError: Its execution mode cannot work here.
    """
    j_configuration = environment_configuration(j_environment)
    require_usable_execution_mode(j_configuration)
    add_bundled_jar(j_configuration)
    default_to_this_interpreter(j_configuration)


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
    requests = _requests(data_stream, codec, failed_rows, name)
    answers = Types.ROW([_BYTES(), Types.STRING(), Types.STRING(), Types.STRING(), Types.INT()])
    answered = _added(
        lambda j_graph: j_graph.PythonBatchInference.add(
            requests._j_data_stream, answers.get_java_type_info(), configuration, name
        )
    )
    return answered.process(Results(codec, failed_rows), output_type=output_type).name(
        f"{name}: results"
    )


def add_batch_submission(
    data_stream: DataStream,
    codec: "RequestCodec[Any]",
    configuration: Dict[str, str],
    submitted_rows: OutputTag,
    failed_rows: Optional[OutputTag],
    name: str,
) -> DataStream:
    """
    :param configuration: The options, by their names in a configuration of Flink's.
    :param submitted_rows: Where elements go that the provider has.
    :param failed_rows: Where elements go that it does not take; None if they fail the job.
    :raises InvalidFunctionError: Java refuses an option.
    """
    requests = _requests(data_stream, codec, failed_rows, name)
    outputs = Types.ROW(
        [
            Types.STRING(),
            _BYTES(),
            Types.STRING(),
            Types.STRING(),
            Types.STRING(),
            Types.INT(),
        ]
    )
    submitted = _added(
        lambda j_graph: j_graph.PythonBatchSubmission.add(
            requests._j_data_stream, outputs.get_java_type_info(), configuration, name
        )
    )
    return submitted.process(
        SubmissionOutputs(submitted_rows, failed_rows), output_type=Types.STRING()
    ).name(f"{name}: outputs")


def add_batch_collection(
    batches: DataStream,
    codec: "ResultCodec[Any]",
    configuration: Dict[str, str],
    result_type: TypeInformation,
    failed_requests: Optional[OutputTag],
    name: str,
) -> DataStream:
    """
    :param batches: Strings.
    :param configuration: The options, by their names in a configuration of Flink's.
    :param failed_requests: Where requests go that have no result; None if they fail the job.
    :raises InvalidFunctionError: Java refuses an option.
    """
    outputs = Types.ROW([Types.STRING()] * 6 + [Types.INT()])
    collected = _added(
        lambda j_graph: j_graph.PythonBatchCollection.add(
            batches._j_data_stream, outputs.get_java_type_info(), configuration, name
        )
    )
    return collected.process(
        CollectedResults(codec, failed_requests),
        output_type=Types.ROW_NAMED(
            ["batch_id", "custom_id", "results_topic", "result"],
            [Types.STRING(), Types.STRING(), Types.STRING(), result_type],
        ),
    ).name(f"{name}: results")


def with_option_names(call: Callable[[], Any]) -> Any:
    """
    :raises InvalidFunctionError: Java refuses an option, which has its name of Python then.
    """
    return with_refusals_in_python(
        call,
        [_REFUSAL],
        lambda reason: InvalidFunctionError("BatchInferenceOptions: " + _in_snake_case(reason)),
    )


def _requests(
    data_stream: DataStream,
    codec: "RequestCodec[Any]",
    failed_rows: Optional[OutputTag],
    name: str,
) -> DataStream:
    return data_stream.map(
        Requests(codec, failed_rows is not None),
        output_type=Types.ROW([_BYTES(), Types.STRING(), Types.STRING()]),
    ).name(f"{name}: requests")


def _added(add: Callable[[Any], Any]) -> DataStream:
    j_graph = get_gateway().jvm.io.asyncbatch.flink.graph
    return DataStream(with_option_names(lambda: add(j_graph)))


def _BYTES() -> TypeInformation:  # noqa: N802
    return Types.PRIMITIVE_ARRAY(Types.BYTE())


def _in_snake_case(reason: str) -> str:
    return re.sub(r"[a-z][\w.-]*", lambda word: _NAMES.get(word[0], word[0]), reason)
