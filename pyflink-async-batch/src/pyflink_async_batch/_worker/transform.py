"""
Registers the ASYNC_BATCH transform with Beam's harness and runs it: the bundle's thread becomes the
thread of the event loop for as long as the worker lives.
"""

from typing import Any

from apache_beam.runners import common
from apache_beam.runners.worker import bundle_processor, operation_specs
from apache_beam.runners.worker.operations import Operation

from pyflink_async_batch._proto import async_batch_pb2
from pyflink_async_batch._worker import event_loop

ASYNC_BATCH_URN = "flink:transform:async_batch_function:v1"


class AsyncBatchOperation(Operation):  # type: ignore[misc]
    """
    The transform as Beam sees it: an operation whose start lasts until the operator ends the
    worker. Running here, and not on a thread beside the bundle's, lets the user's metrics find the
    bundle that they belong to.
    """

    def __init__(self, name: Any, spec: Any, counter_factory: Any, state_sampler: Any) -> None:
        super().__init__(name, spec, counter_factory, state_sampler)
        self._description = spec.serialized_fn

    def start(self) -> None:
        with self.scoped_start_state:
            super().start()
            event_loop.run(self._description)

    def process(self, windowed_value: Any) -> None:
        raise RuntimeError("batches do not travel over Beam's data plane")

    def needs_finalization(self) -> bool:
        return False

    def monitoring_infos(self, transform_id: str, tag_to_pcollection_id: Any) -> Any:
        # Only what the user's function measures; Flink counts rows and batches itself.
        return super().user_monitoring_infos(transform_id)


@bundle_processor.BeamTransformFactory.register_urn(  # type: ignore[untyped-decorator]
    ASYNC_BATCH_URN, async_batch_pb2.UserDefinedAsyncBatchFunction
)
def _create(
    factory: Any, transform_id: str, transform_proto: Any, description: Any, consumers: Any
) -> AsyncBatchOperation:
    spec = operation_specs.WorkerDoFn(
        serialized_fn=description,
        output_tags=[],
        input=None,
        side_inputs=None,
        output_coders=[],
    )
    return AsyncBatchOperation(
        common.NameContext(transform_proto.unique_name),
        spec,
        factory.counter_factory,
        factory.state_sampler,
    )
