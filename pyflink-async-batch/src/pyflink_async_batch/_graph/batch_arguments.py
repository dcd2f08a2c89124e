"""What the calls for Batch APIs accept, checked before the environment is touched."""

import inspect
from typing import Any

from pyflink.common import TypeInformation, Types
from pyflink.datastream import DataStream
from pyflink.datastream.data_stream import KeyedStream

from pyflink_async_batch.batch_options import BatchInferenceOptions
from pyflink_async_batch.errors import (
    InvalidFunctionError,
    InvalidOptionTypeError,
    qualified_name,
)


def require_stream(data_stream: Any) -> None:
    """:raises InvalidOptionTypeError: It is no stream."""
    if not isinstance(data_stream, DataStream):
        raise InvalidOptionTypeError("data_stream", data_stream, "a pyflink.datastream.DataStream")


def require_stream_of_strings(data_stream: Any) -> None:
    """:raises InvalidOptionTypeError: It is no stream of strings, keyed or not."""
    require_stream(data_stream)
    element_type = (
        data_stream._original_data_type_info
        if isinstance(data_stream, KeyedStream)
        else data_stream.get_type()
    )
    if element_type != Types.STRING():
        raise InvalidOptionTypeError(
            "data_stream's type",
            element_type,
            "Types.STRING(): batches as BatchInferenceSubmitter writes them",
        )


def values_of(data_stream: DataStream) -> DataStream:
    """The stream without keys: Java's elements of a keyed one are pairs of a key and a value."""
    return data_stream._values() if isinstance(data_stream, KeyedStream) else data_stream


def require_options(options: Any) -> None:
    """:raises InvalidOptionTypeError: They are no options of batch inference."""
    if not isinstance(options, BatchInferenceOptions):
        raise InvalidOptionTypeError("options", options, "a BatchInferenceOptions")


def typed(output_type: Any) -> TypeInformation:
    """
    :return: The type, or that of pickled values where none is given.
    :raises InvalidOptionTypeError: It is no type.
    """
    if output_type is None:
        return Types.PICKLED_BYTE_ARRAY()
    if not isinstance(output_type, TypeInformation):
        raise InvalidOptionTypeError(
            "output_type", output_type, "None or a pyflink.common.TypeInformation"
        )
    return output_type


def require_codec(codec: Any, wanted: type) -> None:
    """
    :param wanted: The class that it has to be an instance of.
    :raises InvalidFunctionError: It is none, or makes calls itself.
    """
    if isinstance(codec, wanted):
        for method in ("request", "result"):
            if inspect.iscoroutinefunction(getattr(codec, method, None)):
                raise InvalidFunctionError(
                    f"'{qualified_name(type(codec))}.{method}' must be a plain method, not an "
                    "async one: it makes no calls, the operator does."
                )
        return
    accepted = f"an instance of a subclass of {qualified_name(wanted)}"
    if isinstance(codec, type) and issubclass(codec, wanted):
        raise InvalidFunctionError(
            f"codec must be {accepted}, got the class '{qualified_name(codec)}'."
        )
    raise InvalidFunctionError(f"codec must be {accepted}, got '{qualified_name(type(codec))}'.")
