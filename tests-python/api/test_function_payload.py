"""How a function becomes bytes, and what is said about one that cannot."""

import asyncio
import pickle
import threading
from typing import Any

import pytest
from pyflink_async_batch import AsyncBatchFunction, FunctionNotPicklableError
from pyflink_async_batch._graph.function_payload import pickled_function


class Holding(AsyncBatchFunction[Any, Any]):
    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)

    async def async_invoke_batch(self, inputs: list[Any]) -> list[Any]:
        return inputs


class RefusesToBePickled:
    def __reduce__(self) -> Any:
        raise RuntimeError("the model's licence\nforbids copies")


def test_a_local_class_survives() -> None:
    class Local(AsyncBatchFunction[int, int]):
        def __init__(self, offset: int) -> None:
            self.offset = offset

        async def async_invoke_batch(self, inputs: list[int]) -> list[int]:
            return [value + self.offset for value in inputs]

    payload = pickled_function(Local(10))
    assert type(payload) is bytes
    assert asyncio.run(pickle.loads(payload).async_invoke_batch([1, 2])) == [11, 12]


@pytest.mark.parametrize(
    ("culprit", "described"),
    [
        (threading.Lock(), "attribute 'client' of type '_thread.lock'"),
        (RefusesToBePickled(), "attribute 'client' of type '.*RefusesToBePickled'"),
        ((value for value in ()), "attribute 'client' of type 'generator'"),
    ],
    ids=["lock", "raising __reduce__", "generator"],
)
def test_the_failing_attribute_is_named(culprit: Any, described: str) -> None:
    function = Holding(url="http://localhost", client=culprit)
    with pytest.raises(FunctionNotPicklableError, match=described) as raised:
        pickled_function(function)
    assert "class 'test_function_payload.Holding'" in str(raised.value)
    assert "'url'" not in str(raised.value)
    assert "in 'open'" in str(raised.value)
    assert raised.value.__cause__ is not None


def test_the_picklers_reason_is_shown_in_one_line() -> None:
    with pytest.raises(FunctionNotPicklableError) as raised:
        pickled_function(Holding(model=RefusesToBePickled()))
    assert raised.value.reason == "RuntimeError: the model's licence"
    assert "\n" not in str(raised.value)


def test_every_failing_attribute_is_named() -> None:
    with pytest.raises(FunctionNotPicklableError) as raised:
        pickled_function(Holding(a=threading.Lock(), b=1, c=threading.Lock()))
    assert len(raised.value.culprits) == 2


def test_a_captured_variable_is_named() -> None:
    lock = threading.Lock()

    class Capturing(AsyncBatchFunction[int, int]):
        async def async_invoke_batch(self, inputs: list[int]) -> list[int]:
            with lock:
                return inputs

    with pytest.raises(
        FunctionNotPicklableError,
        match=r"variable 'lock' of type '_thread.lock', used by method 'async_invoke_batch'",
    ):
        pickled_function(Capturing())


def test_a_function_whose_state_cannot_be_taken_is_named_alone() -> None:
    class Stateless(AsyncBatchFunction[int, int]):
        def __getstate__(self) -> Any:
            raise ValueError("no state")

        async def async_invoke_batch(self, inputs: list[int]) -> list[int]:
            return inputs

    with pytest.raises(FunctionNotPicklableError, match="cannot be pickled: ValueError: no state"):
        pickled_function(Stateless())
