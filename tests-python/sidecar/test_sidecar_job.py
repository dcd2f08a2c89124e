"""A job in Python whose batches a hosted function computes, in the sidecar of this project."""

from pathlib import Path

import pytest
from pyflink.common import Row, Time, Types
from pyflink.datastream import StreamExecutionEnvironment
from pyflink_async_batch import AsyncDataStream, GpuSidecarAsyncBatchFunction, TensorField
from sidecar_process import asked_sidecar

NUMBER = Types.ROW_NAMED(["x"], [Types.FLOAT()])
DOUBLED = Types.ROW_NAMED(["y"], [Types.FLOAT()])


@pytest.mark.timeout(120)
def test_every_row_has_its_result(environment: StreamExecutionEnvironment, directory: Path) -> None:
    with asked_sidecar(directory, "models:Double") as (sidecar, _):
        doubled = AsyncDataStream.ordered_wait_batch(
            environment.from_collection([Row(x=float(n)) for n in range(100)], NUMBER),
            GpuSidecarAsyncBatchFunction(
                endpoint=sidecar.endpoint,
                model_name="Double",
                inputs=[TensorField("x")],
                outputs=[TensorField("y")],
            ),
            timeout=Time.seconds(60),
            batch_size=16,
            output_type=DOUBLED,
        )
        with doubled.execute_and_collect() as results:
            assert [row.y for row in results] == [2.0 * n for n in range(100)]
