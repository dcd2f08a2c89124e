"""What becomes of the requests of a batch some of whose rows have no result."""

import asyncio
from typing import Any, List

import numpy as np
import pytest
from pyflink_async_batch import InvalidFunctionError
from pyflink_async_batch.sidecar._hosted_function import HostedFunction
from pyflink_async_batch.sidecar._sidecar_error import ErrorKind, SidecarError


async def opened(name: str) -> HostedFunction:
    function = HostedFunction(f"models:{name}")
    await function.open(None)
    return function


def outcomes(name: str, *requests: List[float]) -> List[Any]:
    async def run() -> List[Any]:
        function = await opened(name)
        return await function.invoke([{"x": np.array(each, "<f4")} for each in requests])

    return asyncio.run(run())


@pytest.mark.parametrize("name", ["NoNegatives", "NoNegativeColumns"])
def test_a_row_without_a_result_fails_its_own_request_alone(name: str) -> None:
    first, second, third = outcomes(name, [1.0, 4.0], [9.0, -1.0, -2.0], [16.0])
    assert np.asarray(first["y"]).tolist() == [1.0, 2.0]
    assert np.asarray(third["y"]).tolist() == [4.0]
    assert isinstance(second, SidecarError)
    assert second.kind is ErrorKind.INTERNAL
    assert second.message.endswith("-1.0 is negative")


def test_a_batch_that_is_too_large_is_out_of_memory() -> None:
    with pytest.raises(SidecarError) as raised:
        outcomes("NoNegatives", [1.0] * 100)
    assert raised.value.kind is ErrorKind.OUT_OF_MEMORY


def test_a_function_that_yields_is_refused() -> None:
    with pytest.raises(InvalidFunctionError, match="models:YieldsRows yields rows one by one"):
        asyncio.run(opened("YieldsRows"))
