"""Between the protocol's messages of an inference and tensors."""

from dataclasses import dataclass
from typing import Any, Dict, Hashable, List, Optional, Tuple

from pyflink_async_batch._proto import open_inference_pb2
from pyflink_async_batch.sidecar import _tensor_codec
from pyflink_async_batch.sidecar._function_view import Tensors
from pyflink_async_batch.sidecar._shared_memory import SharedRegions, SharedSlice
from pyflink_async_batch.sidecar._sidecar_error import invalid
from pyflink_async_batch.sidecar._signature import Signature
from pyflink_async_batch.sidecar._tensor_spec import TensorSpec

_MICROSECONDS = 1_000_000


@dataclass(frozen=True)
class InferenceRequest:
    """
    A request that has been checked against the function's signature.

    :param tensors: the inputs, in the signature's order.
    :param rows: how many rows each has.
    :param size: how many bytes they have together.
    :param outputs: the names of the wanted outputs, each with where its contents are to go: None
                    for into the answer.
    :param client: the name that the client gave itself, None if it did not.
    :param timeout: seconds that the client waits by its own word, None if it did not say.
    :param arrival: when it came, by the loop's clock.
    """

    tensors: Tensors
    rows: int
    size: int
    outputs: Dict[str, Optional[SharedSlice]]
    client: Optional[str]
    timeout: Optional[float]
    arrival: float

    @property
    def key(self) -> Hashable:
        """Equal for requests whose rows may lie in one tensor."""
        return tuple(tensor.shape[1:] for tensor in self.tensors.values())


def read_request(
    message: Any, signature: Signature, regions: Optional[SharedRegions], arrival: float
) -> InferenceRequest:
    """
    :param message: a ``ModelInferRequest``.
    :param regions: the shared memory that its endpoint knows, None if it takes none.
    :raises SidecarError: the request does not fit the signature.
    """
    tensors = _read_inputs(message, signature, regions)
    rows = {len(tensor) for tensor in tensors.values()}
    if len(rows) > 1:
        raise invalid(f"all inputs must have equally many rows, got {sorted(rows)}")
    return InferenceRequest(
        tensors,
        rows.pop(),
        sum(_size(tensor) for tensor in tensors.values()),
        _wanted_outputs(message, signature, regions),
        _text_parameter(message, "client_id"),
        _timeout(message),
        arrival,
    )


def write_response(
    message: Any, request: InferenceRequest, signature: Signature, tensors: Tensors, version: str
) -> Any:
    """
    :param message: the ``ModelInferRequest``.
    :param tensors: all outputs.
    :return: the ``ModelInferResponse``.
    :raises SidecarError: an output does not fit where it is to go.
    """
    response = open_inference_pb2.ModelInferResponse(
        model_name=message.model_name, model_version=version, id=message.id
    )
    for name, place in request.outputs.items():
        spec = signature.outputs[name]
        data = _tensor_codec.write(spec, tensors[name])
        output = response.outputs.add(name=name, datatype=spec.datatype, shape=tensors[name].shape)
        if place is None:
            response.raw_output_contents.append(bytes(data))
        else:
            place.write(name, data)
            # An empty one holds the place of each that is elsewhere, as from Triton.
            response.raw_output_contents.append(b"")
            output.parameters["shared_memory_region"].string_param = place.region_name
            output.parameters["shared_memory_byte_size"].int64_param = len(data)
            if place.offset:
                output.parameters["shared_memory_offset"].int64_param = place.offset
    return response


def _read_inputs(message: Any, signature: Signature, regions: Optional[SharedRegions]) -> Tensors:
    raw = iter(message.raw_input_contents)
    has_raw = len(message.raw_input_contents) > 0
    found: Tensors = {}
    for tensor in message.inputs:
        spec = signature.inputs.get(tensor.name)
        if spec is None:
            raise invalid(f"there is no input '{tensor.name[:80]}', only {list(signature.inputs)}")
        if tensor.name in found:
            raise invalid(f"input '{tensor.name}' is there twice")
        if tensor.datatype != spec.datatype:
            raise invalid(
                f"input '{tensor.name}' must be of {spec.datatype}, got {tensor.datatype[:80]}"
            )
        shape = _tensor_codec.check_shape(tensor.name, spec, tensor.shape)
        place = _place(tensor, regions)
        if place is not None:
            found[tensor.name] = _read_shared(tensor.name, spec, shape, place)
        elif has_raw:
            data = next(raw, None)
            if data is None:
                raise invalid(f"input '{tensor.name}' has no raw contents")
            found[tensor.name] = _tensor_codec.read(tensor.name, spec, shape, data)
        else:
            found[tensor.name] = _tensor_codec.read_contents(
                tensor.name, spec, shape, tensor.contents
            )
    if next(raw, None) is not None:
        raise invalid("there are more raw contents than inputs that are not in shared memory")
    missing = [name for name in signature.inputs if name not in found]
    if missing:
        raise invalid(f"inputs {missing} are missing")
    return {name: found[name] for name in signature.inputs}


def _read_shared(name: str, spec: TensorSpec, shape: Tuple[int, ...], place: SharedSlice) -> Any:
    if spec.datatype != "BYTES" and place.size != _tensor_codec.byte_size(spec, shape):
        # Before it is read: what is read may be gigabytes.
        raise invalid(
            f"input '{name}' of {spec.datatype} and shape {list(shape)} must have "
            f"{_tensor_codec.byte_size(spec, shape)} bytes in shared memory, got {place.size}"
        )
    return _tensor_codec.read(name, spec, shape, place.read(name))


def _wanted_outputs(
    message: Any, signature: Signature, regions: Optional[SharedRegions]
) -> Dict[str, Optional[SharedSlice]]:
    if not message.outputs:
        return dict.fromkeys(signature.outputs)
    wanted: Dict[str, Optional[SharedSlice]] = {}
    for output in message.outputs:
        if output.name not in signature.outputs:
            raise invalid(
                f"there is no output '{output.name[:80]}', only {list(signature.outputs)}"
            )
        if output.name in wanted:
            raise invalid(f"output '{output.name}' is wanted twice")
        if "classification" in output.parameters:
            raise invalid(f"output '{output.name}': classification is not supported")
        wanted[output.name] = _place(output, regions)
    return wanted


def _place(tensor: Any, regions: Optional[SharedRegions]) -> Optional[SharedSlice]:
    parameters = tensor.parameters
    if "shared_memory_region" not in parameters:
        return None
    name = parameters["shared_memory_region"].string_param
    if regions is None:
        raise invalid(
            f"tensor '{tensor.name}' is in shared memory, which only Unix sockets support"
        )
    return regions.slice(
        name,
        _integer(tensor, "shared_memory_offset"),
        _integer(tensor, "shared_memory_byte_size"),
    )


def _integer(tensor: Any, name: str) -> int:
    if name not in tensor.parameters:
        return 0
    parameter = tensor.parameters[name]
    field = parameter.WhichOneof("parameter_choice")
    if field not in ("int64_param", "uint64_param"):
        raise invalid(f"parameter {name} of tensor '{tensor.name}' must be an integer")
    return int(getattr(parameter, field))


def _text_parameter(message: Any, name: str) -> Optional[str]:
    if name not in message.parameters:
        return None
    return str(message.parameters[name].string_param)[:256] or None


def _timeout(message: Any) -> Optional[float]:
    """Triton's parameter, in microseconds."""
    if "timeout" not in message.parameters:
        return None
    microseconds = message.parameters["timeout"].int64_param
    return microseconds / _MICROSECONDS if microseconds > 0 else None


def _size(tensor: Any) -> int:
    if tensor.dtype.kind != "O":
        return int(tensor.nbytes)
    elements: List[Any] = tensor.reshape(-1).tolist()
    return sum(map(len, elements))
