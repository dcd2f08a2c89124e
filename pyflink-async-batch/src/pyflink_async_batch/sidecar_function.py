"""A function that has a model server compute each batch, without a Python worker in between."""

from dataclasses import dataclass, field
from typing import Any, Dict, Optional, Sequence, Tuple, Union

from pyflink_async_batch.errors import InvalidOptionError, InvalidOptionTypeError
from pyflink_async_batch.option_checks import (
    MAX_JAVA_INT,
    MAX_JAVA_LONG,
    DurationLike,
    positive_int,
    positive_millis,
)

__all__ = ["GpuSidecarAsyncBatchFunction", "TensorField"]


_DATA_TYPES = (
    "BOOL",
    "UINT8",
    "UINT16",
    "UINT32",
    "UINT64",
    "INT8",
    "INT16",
    "INT32",
    "INT64",
    "FP16",
    "BF16",
    "FP32",
    "FP64",
    "BYTES",
)


@dataclass(frozen=True)
class TensorField:
    """
    A field of a row, and what it is to the model.

    :param name: The field's name. Where the elements of the stream are no rows, the tensor's.
    :param tensor: The name of the model's tensor; by default the field's.
    :param data_type: The data type of its elements, under the protocol's name such as 'FP32'. By
                      default the one that the field's type has: 'FP32' for ``Types.FLOAT()`` and
                      arrays of it, 'BYTES' for ``Types.STRING()`` and ``Types.PRIMITIVE_ARRAY(
                      Types.BYTE())``, and so on. Integers are kept or refused, floating-point
                      numbers are rounded.
    :param shape: The shape of one row's value, without the dimension of the batch: ``()`` or ones
                  for single values, positive sizes for arrays, -1 for the one dimension that
                  varies. By default an array has one dimension, which varies.
    :raises InvalidOptionError: The data type is not one of the protocol's, or a size is neither
                                positive nor -1.
    :raises InvalidOptionTypeError: An argument is of a wrong type.
    """

    name: str
    tensor: Optional[str] = None
    data_type: Optional[str] = None
    shape: Optional[Tuple[int, ...]] = None

    def __post_init__(self) -> None:
        _text("name", self.name)
        _optional(_text, "tensor", self.tensor)
        if self.data_type is not None and self.data_type not in _DATA_TYPES:
            raise InvalidOptionError(
                "data_type", self.data_type, "one of " + ", ".join(_DATA_TYPES)
            )
        if self.shape is not None:
            object.__setattr__(self, "shape", _shape(self.shape))


@dataclass(frozen=True, init=False)
class GpuSidecarAsyncBatchFunction:
    """
    Has a model server next door compute each batch: one request a batch, over the Open Inference
    Protocol v2 (gRPC), which Triton, KServe, MLServer, the OpenVINO Model Server and ``python -m
    pyflink_async_batch.sidecar`` speak. The operator itself makes the requests, in Java: there is
    no Python worker, and nothing of this object is pickled.

    ::

        >>> AsyncDataStream.unordered_wait_batch(
        ...     images,  # Types.ROW_NAMED(["id", "pixels"], [LONG, PRIMITIVE_ARRAY(FLOAT)])
        ...     GpuSidecarAsyncBatchFunction(
        ...         endpoint="unix:///run/models/digits.sock",
        ...         model_name="digits",
        ...         inputs=[TensorField("pixels", shape=(8, 8))],
        ...         outputs=["digit"],
        ...         copy_record_fields=True),
        ...     timeout=Time.seconds(30), batch_size=32,
        ...     output_type=Types.ROW_NAMED(["id", "digit"], [Types.LONG(), Types.LONG()]))

    It goes where an :class:`~pyflink_async_batch.AsyncBatchFunction` goes, with these differences.

    **Types.** The stream and ``output_type`` must be typed, as no Python is there to unpickle. They
    are ``Types.ROW`` or ``ROW_NAMED`` of BOOLEAN, BYTE, SHORT, INT, LONG, FLOAT, DOUBLE, STRING,
    PRIMITIVE_ARRAY, BASIC_ARRAY, OBJECT_ARRAY and LIST, or one of these alone.

    **Options.** ``open_timeout``, ``max_frame_bytes`` and ``shared_memory_threshold`` of the method
    are about Python workers and are refused; ``ready_timeout``, ``max_message_bytes`` and
    ``shared_memory_threshold`` here stand for them. A batch that passes ``timeout`` is cancelled,
    at the server too, and fails the job.

    **Retries.** Requests fail as docs/sidecar.md lists. With ``*_with_retry`` those are repeated
    that may succeed later: the server was not reached, was overloaded, or did not answer in time.
    Which ones is decided in Java, so the strategy has to be an
    :class:`~pyflink_async_batch.ExponentialBackoffRetryStrategy` without predicates.

    **Threading.** Not applicable: this is a description, immutable, used while the job is built.

    Every length of time is a ``pyflink.common.Time``, a ``pyflink.common.Duration`` or a
    ``datetime.timedelta``, in whole milliseconds. What is left out has the default of Java's
    ``SidecarOptions``, as given here.

    :param endpoint: 'unix:///absolute/path' or 'host:port'.
    :param model_name: The model, as the server knows it.
    :param inputs: The fields that are sent, each by its name or as a :class:`TensorField`; by
                   default all, under their own names. Where elements are no rows, the name of the
                   model's input is needed: ``inputs=["images"]``.
    :param outputs: The model's outputs that are asked for, each becoming the field of that name; by
                    default all fields of ``output_type``, or those that are not copied. Where
                    results are no rows, the name of the model's output.
    :param copy_record_fields: Results keep fields of their input: each field of ``output_type``
                               that is no output is copied from the input's field of that name.
    :param model_version: The version that must answer; by default the server chooses.
    :param request_timeout: From the sending of a request to its answer; 30 s by default.
    :param max_in_flight: Most requests that a subtask has at the server, by default 64. More wait
                          in their order; ``capacity`` of the method bounds all.
    :param ready_timeout: How long a subtask waits at its start for server and model to be ready; by
                          default 120 s.
    :param max_message_bytes: Most bytes of one request or answer, at least 1024; 64 MiB by default.
    :param keep_alive_time: While requests are in flight and nothing has come for so long, the
                            server is asked for a sign of life; by default 30 s, at least 10 s. Set
                            together with ``keep_alive_timeout``.
    :param keep_alive_timeout: When the connection counts as dead after that; by default 10 s.
    :param max_reconnect_delay: The longest pause between attempts to connect, 1 s to 120 s, which
                                is the default.
    :param tls: Encrypt, towards a loopback address too. Other hosts always are, unless
                ``plaintext``.
    :param plaintext: Send to another host without encryption.
    :param ca_file: A PEM file at the TaskManagers with the authorities to trust instead of the
                    JVM's. Implies ``tls``.
    :param client_certificate_file: A PEM file at the TaskManagers that identifies this client;
                                    together with ``client_key_file``. Implies ``tls``.
    :param client_key_file: Its key, in PKCS #8.
    :param token_from_environment: The environment variable of the TaskManagers that holds a bearer
                                   token.
    :param token_from_file: The file at the TaskManagers that holds one.
    :param shared_memory_threshold: Over a Unix socket, tensors of at least so many bytes go through
                                    memory that client and server share; by default 128 KiB.
    :param max_shared_memory_bytes: Most shared memory of a subtask, 0 for none; by default 256 MiB.
    :raises InvalidOptionError: An option is out of its range.
    :raises InvalidOptionTypeError: An option is of a wrong type.

    Options that contradict each other or the endpoint, and fields that do not fit the stream, are
    refused when the function is applied to it.
    """

    endpoint: str
    model_name: str
    inputs: Tuple[TensorField, ...]
    outputs: Tuple[TensorField, ...]
    copy_record_fields: bool
    #: What was given of the other options, by name, checked: durations in milliseconds.
    options: Dict[str, Any] = field(hash=False)

    def __init__(
        self,
        *,
        endpoint: str,
        model_name: str,
        inputs: Sequence[Union[str, TensorField]] = (),
        outputs: Sequence[Union[str, TensorField]] = (),
        copy_record_fields: bool = False,
        model_version: Optional[str] = None,
        request_timeout: Optional[DurationLike] = None,
        max_in_flight: Optional[int] = None,
        ready_timeout: Optional[DurationLike] = None,
        max_message_bytes: Optional[int] = None,
        keep_alive_time: Optional[DurationLike] = None,
        keep_alive_timeout: Optional[DurationLike] = None,
        max_reconnect_delay: Optional[DurationLike] = None,
        tls: bool = False,
        plaintext: bool = False,
        ca_file: Optional[str] = None,
        client_certificate_file: Optional[str] = None,
        client_key_file: Optional[str] = None,
        token_from_environment: Optional[str] = None,
        token_from_file: Optional[str] = None,
        shared_memory_threshold: Optional[int] = None,
        max_shared_memory_bytes: Optional[int] = None,
    ) -> None:
        _together("keep_alive_time", keep_alive_time, "keep_alive_timeout", keep_alive_timeout)
        _together(
            "client_certificate_file", client_certificate_file, "client_key_file", client_key_file
        )
        options = {
            "model_version": _optional(_text, "model_version", model_version),
            "request_timeout": _optional(_millis, "request_timeout", request_timeout),
            "max_in_flight": _optional(_int, "max_in_flight", max_in_flight),
            "ready_timeout": _optional(_millis, "ready_timeout", ready_timeout),
            "max_message_bytes": _optional(_int, "max_message_bytes", max_message_bytes),
            "keep_alive_time": _optional(_millis, "keep_alive_time", keep_alive_time),
            "keep_alive_timeout": _optional(_millis, "keep_alive_timeout", keep_alive_timeout),
            "max_reconnect_delay": _optional(_millis, "max_reconnect_delay", max_reconnect_delay),
            "tls": _flag("tls", tls) or None,
            "plaintext": _flag("plaintext", plaintext) or None,
            "ca_file": _optional(_text, "ca_file", ca_file),
            "client_certificate_file": _optional(
                _text, "client_certificate_file", client_certificate_file
            ),
            "client_key_file": _optional(_text, "client_key_file", client_key_file),
            "token_from_environment": _optional(
                _text, "token_from_environment", token_from_environment
            ),
            "token_from_file": _optional(_text, "token_from_file", token_from_file),
            "shared_memory_threshold": _optional(
                _long, "shared_memory_threshold", shared_memory_threshold
            ),
            "max_shared_memory_bytes": _optional(
                _bytes_or_none, "max_shared_memory_bytes", max_shared_memory_bytes
            ),
        }
        checked = {
            "endpoint": _text("endpoint", endpoint),
            "model_name": _text("model_name", model_name),
            "inputs": _fields("inputs", inputs),
            "outputs": _fields("outputs", outputs),
            "copy_record_fields": _flag("copy_record_fields", copy_record_fields),
            "options": {name: value for name, value in options.items() if value is not None},
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)


def _optional(check: Any, option: str, value: Any) -> Any:
    return None if value is None else check(option, value)


def _together(first: str, first_value: Any, second: str, second_value: Any) -> None:
    if (first_value is None) != (second_value is None):
        missing, given = (first, second) if first_value is None else (second, first)
        raise InvalidOptionError(missing, None, f"set where {given} is")


def _text(option: str, value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidOptionTypeError(option, value, "a str")
    if not value.strip():
        raise InvalidOptionError(option, value, "a str that is not blank")
    return value


def _flag(option: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise InvalidOptionTypeError(option, value, "a bool")
    return value


def _millis(option: str, value: Any) -> int:
    return positive_millis(option, value, "None or ")


def _int(option: str, value: Any) -> int:
    return positive_int(option, value, MAX_JAVA_INT)


def _long(option: str, value: Any) -> int:
    return positive_int(option, value, MAX_JAVA_LONG)


def _bytes_or_none(option: str, value: Any) -> int:
    is_zero = isinstance(value, int) and not isinstance(value, bool) and value == 0
    return 0 if is_zero else _long(option, value)


def _fields(option: str, value: Any) -> Tuple[TensorField, ...]:
    accepted = "a list of field names and TensorFields"
    if isinstance(value, (str, TensorField)) or not isinstance(value, Sequence):
        raise InvalidOptionTypeError(option, value, accepted)
    fields = []
    for item in value:
        if not isinstance(item, (str, TensorField)):
            raise InvalidOptionTypeError(option, item, accepted)
        fields.append(TensorField(item) if isinstance(item, str) else item)
    return tuple(fields)


def _shape(value: Any) -> Tuple[int, ...]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise InvalidOptionTypeError("shape", value, "a tuple of ints")
    return tuple(_size(size) for size in value)


def _size(value: Any) -> int:
    is_varying = isinstance(value, int) and value == -1
    return -1 if is_varying else positive_int("a size in shape", value, MAX_JAVA_LONG)
