"""Which tensors a hosted function takes and returns."""

import re
from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional

from pyflink_async_batch.errors import InvalidFunctionError, InvalidOptionError, qualified_name
from pyflink_async_batch.sidecar._tensor_spec import TensorSpec

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_WRITTEN = re.compile(r"(?P<name>[^=]*)=(?P<datatype>\w+):(?P<shape>[-0-9,]+)(?P<text>:text)?")


@dataclass(frozen=True)
class Signature:
    """The tensors of a function by their names, in the order of a row's fields."""

    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]


def parse_spec(option: str, written: str) -> Dict[str, TensorSpec]:
    """
    :param option: the command line's option, for the error.
    :param written: such as ``image=FP32:-1,3,224,224`` or ``caption=BYTES:-1:text``.
    :raises InvalidOptionError: it is something else.
    """
    match = _WRITTEN.fullmatch(written)
    if match is None or not _NAME.fullmatch(match["name"]):
        raise InvalidOptionError(option, written, "of the form NAME=DATATYPE:-1,DIM,...[:text]")
    try:
        shape = tuple(int(dim) for dim in match["shape"].split(","))
    except ValueError:
        raise InvalidOptionError(option, written, "of dimensions that are integers") from None
    return {match["name"]: TensorSpec(match["datatype"], shape, match["text"] is not None)}


def signature_of(
    function: Any,
    inputs: Optional[Mapping[str, TensorSpec]] = None,
    outputs: Optional[Mapping[str, TensorSpec]] = None,
) -> Signature:
    """
    :param function: the instance; its ``inputs`` and ``outputs`` count where nothing is given here.
    :raises InvalidFunctionError: a side is declared nowhere, or is not what it must be.
    """
    return Signature(_declared(function, "inputs", inputs), _declared(function, "outputs", outputs))


def _declared(
    function: Any, side: str, given: Optional[Mapping[str, TensorSpec]]
) -> Dict[str, TensorSpec]:
    specs = getattr(function, side, None) if given is None else given
    owner = f"class '{qualified_name(type(function))}'"
    if specs is None:
        raise InvalidFunctionError(
            f"The {side} of {owner} are not known: declare a class attribute '{side}' that maps "
            f"names to TensorSpec, or name them with --{side}."
        )
    good = isinstance(specs, Mapping) and all(
        isinstance(name, str) and _NAME.fullmatch(name) and isinstance(spec, TensorSpec)
        for name, spec in specs.items()
    )
    if not good or not specs:
        raise InvalidFunctionError(
            f"'{side}' of {owner} must map one or more names of letters, digits, '_', '-' and '.' "
            "to TensorSpec."
        )
    return dict(specs)
