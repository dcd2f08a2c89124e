"""Which objects are batched async functions, and what the refusals of others say."""

import asyncio
import functools
from collections.abc import AsyncIterator
from typing import Any, Callable

import pytest
from pyflink.datastream.functions import AsyncFunction, MapFunction
from pyflink_async_batch import (
    ArrowAsyncBatchFunction,
    AsyncBatchFunction,
    InvalidFunctionError,
)
from pyflink_async_batch._graph.function_contract import require_async_batch_function


class Valid(AsyncBatchFunction[Any, Any]):
    async def async_invoke_batch(self, inputs: list[Any]) -> list[Any]:
        return inputs


class ValidOnColumns(ArrowAsyncBatchFunction):
    async def async_invoke_batch(self, inputs: Any) -> Any:
        return inputs


def with_methods(**methods: Any) -> AsyncBatchFunction[Any, Any]:
    return type("Custom", (Valid,), {"__module__": __name__, **methods})()  # type: ignore[no-any-return]


def logged(function: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator that is not async itself, as tracing and retry libraries have them."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


def marked(function: Callable[..., Any]) -> Callable[..., Any]:
    """What Cython and inspect.markcoroutinefunction do to functions without the flag."""

    def wrapper(*args: Any) -> Any:
        return function(*args)

    wrapper._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]
    return wrapper


class CalledLikeAFunction:
    async def __call__(self, inputs: list[Any]) -> list[Any]:
        return inputs


async def two_arguments(self: Any, model: Any, inputs: list[Any]) -> list[Any]:
    return inputs


async def of_static(inputs: list[Any]) -> list[Any]:
    return inputs


async def of_method(self: Any, inputs: list[Any]) -> list[Any]:
    return inputs


async def with_defaults(self: Any, inputs: list[Any], model: str = "m", *rest: Any) -> list[Any]:
    return inputs


async def generator(self: Any, inputs: list[Any]) -> AsyncIterator[Any]:
    yield inputs


def plain(self: Any, inputs: list[Any]) -> list[Any]:
    return inputs


@pytest.mark.parametrize(
    "method",
    [
        of_method,
        with_defaults,
        staticmethod(of_static),
        classmethod(of_method),
        logged(of_method),
        logged(logged(of_method)),
        marked(of_method),
        functools.partial(two_arguments, None, "model"),
        functools.partialmethod(two_arguments, "model"),
        functools.partialmethod(logged(two_arguments), "model"),
        logged(functools.partial(two_arguments, None, "model")).__wrapped__,  # type: ignore
        CalledLikeAFunction(),
    ],
    ids=[
        "method",
        "defaults",
        "staticmethod",
        "classmethod",
        "decorated",
        "decorated twice",
        "marked",
        "partial",
        "partialmethod",
        "partialmethod of decorated",
        "unwrapped partial",
        "callable object",
    ],
)
def test_everything_that_is_a_coroutine_function_is_accepted(method: Any) -> None:
    require_async_batch_function(with_methods(async_invoke_batch=method))


def test_a_function_on_columns_is_held_to_the_same() -> None:
    require_async_batch_function(ValidOnColumns())
    plain_one = type("Plain", (ValidOnColumns,), {"async_invoke_batch": plain})()
    with pytest.raises(InvalidFunctionError, match="should be declared as 'async def'"):
        require_async_batch_function(plain_one)


def test_an_instance_attribute_is_accepted() -> None:
    function = Valid()
    function.async_invoke_batch = of_static  # type: ignore[method-assign]
    require_async_batch_function(function)


@pytest.mark.parametrize(
    "method",
    [
        plain,
        logged(plain),
        staticmethod(lambda inputs: inputs),
        functools.partial(plain, None),
        functools.partialmethod(plain),
        None,
        3,
    ],
    ids=["method", "decorated", "staticmethod", "partial", "partialmethod", "None", "int"],
)
def test_a_plain_function_is_refused(method: Any) -> None:
    with pytest.raises(InvalidFunctionError) as raised:
        require_async_batch_function(with_methods(async_invoke_batch=method))
    assert str(raised.value) == (
        f"Method 'async_invoke_batch' of class '{__name__}.Custom' should be declared as "
        "'async def'."
    )


@pytest.mark.parametrize("method", [generator, logged(generator)], ids=["method", "decorated"])
def test_an_asynchronous_generator_is_accepted(method: Any) -> None:
    require_async_batch_function(with_methods(async_invoke_batch=method))


async def no_arguments(self: Any) -> list[Any]:
    return []


async def keyword_only(self: Any, *, inputs: list[Any]) -> list[Any]:
    return inputs


@pytest.mark.parametrize("method", [no_arguments, two_arguments, keyword_only])
def test_the_coroutine_takes_one_argument(method: Any) -> None:
    with pytest.raises(
        InvalidFunctionError,
        match=r"'async_invoke_batch' of class '.*Custom' should take exactly one argument, "
        r"the batch of inputs, but its signature is 'async_invoke_batch\(",
    ):
        require_async_batch_function(with_methods(async_invoke_batch=method))


@pytest.mark.parametrize("method", [lambda self: [], lambda self, inputs, more: []])
def test_the_timeout_handler_takes_one_argument(method: Any) -> None:
    with pytest.raises(InvalidFunctionError, match=r"'timeout_batch' of .* exactly one argument"):
        require_async_batch_function(with_methods(timeout_batch=method))


@pytest.mark.parametrize("name", ["timeout_batch", "open", "close"])
@pytest.mark.parametrize("method", [of_method, logged(of_method), generator])
def test_the_other_methods_are_not_async(name: str, method: Any) -> None:
    with pytest.raises(
        InvalidFunctionError, match=f"'{name}' of class .* should not be declared as 'async def'"
    ):
        require_async_batch_function(with_methods(**{name: method}))


@pytest.mark.parametrize("name", ["timeout_batch", "open", "close"])
def test_the_other_methods_are_callable(name: str) -> None:
    with pytest.raises(InvalidFunctionError, match=f"'{name}' of class .* should be callable"):
        require_async_batch_function(with_methods(**{name: 1}))


def test_a_class_is_refused_with_the_remedy() -> None:
    with pytest.raises(
        InvalidFunctionError, match=r"instance of class '.*Valid', got the class itself: .*Valid\("
    ):
        require_async_batch_function(Valid)


class PerRecord(AsyncFunction):  # type: ignore[misc]
    async def async_invoke(self, value: Any) -> list[Any]:
        return [value]


class Map(MapFunction):  # type: ignore[misc]
    def map(self, value: Any) -> Any:
        return value


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (PerRecord(), "PerRecord' is an AsyncFunction, which handles one element at a time"),
        (Map(), "extends AsyncBatchFunction, got an instance of class '.*Map'"),
        (Map, "extends AsyncBatchFunction, got the class '.*Map'"),
        (of_static, "extends AsyncBatchFunction, got an instance of class 'function'"),
        (None, "extends AsyncBatchFunction, got an instance of class 'NoneType'"),
    ],
    ids=["AsyncFunction", "MapFunction", "another class", "function", "None"],
)
def test_other_objects_are_refused(function: Any, message: str) -> None:
    with pytest.raises(InvalidFunctionError, match=message):
        require_async_batch_function(function)
