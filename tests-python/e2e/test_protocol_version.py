"""A worker whose wheel is of another release than the job's jar."""

import shutil
from pathlib import Path
from typing import Any

import pyflink_async_batch
import pytest
from py4j.protocol import Py4JJavaError
from pyflink.common import Time, Types
from pyflink.datastream import StreamExecutionEnvironment
from pyflink_async_batch import AsyncBatchFunction, AsyncDataStream


class Identity(AsyncBatchFunction[Any, Any]):
    async def async_invoke_batch(self, inputs: list[Any]) -> list[Any]:
        return inputs


@pytest.mark.process_mode
def test_is_refused_with_what_to_do(
    environment: StreamExecutionEnvironment, numbers: Any, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    package = other / "pyflink_async_batch"
    shutil.copytree(
        Path(pyflink_async_batch.__file__).parent,
        package,
        ignore=shutil.ignore_patterns("lib", "__pycache__"),
    )
    module = package / "_worker" / "protocol_version.py"
    own = module.read_text(encoding="utf-8")
    changed = own.replace("async_batch_pb2.PROTOCOL_VERSION_CURRENT", "99")
    assert changed != own
    module.write_text(changed, encoding="utf-8")
    environment.add_python_file(str(other))
    AsyncDataStream.unordered_wait_batch(
        numbers(10), Identity(), Time.seconds(60), batch_size=5, output_type=Types.LONG()
    ).print()

    with pytest.raises(Py4JJavaError) as failed:
        environment.execute()

    text = str(failed.value.java_exception) + str(failed.value)
    assert "speaks version 1 of the batch protocol" in text
    assert "which speaks version 99. Install the same release of pyflink-async-batch" in text
