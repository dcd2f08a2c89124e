"""What an operator needs of a TaskManager: GPUs, and what its slot then consists of."""

import math
import numbers
import re
from dataclasses import dataclass
from typing import Any, Optional, Union

import numpy as np

from pyflink_async_batch.errors import InvalidOptionError, InvalidOptionTypeError
from pyflink_async_batch.option_checks import MAX_JAVA_LONG

__all__ = ["GpuResources", "MemoryLike"]

#: A number of bytes, or text such as ``"512m"`` or ``"8g"``, in powers of 1024 as in Flink.
MemoryLike = Union[int, str]

_MAX_GPUS = 1_000
_MEMORY_TEXT = re.compile(r"\s*([0-9]+)\s*([a-z]*)\s*", re.IGNORECASE)
# Those of Flink's MemorySize.
_UNITS = {
    name: 1024**power
    for power, names in enumerate(
        (
            ("", "b", "bytes"),
            ("k", "kb", "kibibytes"),
            ("m", "mb", "mebibytes"),
            ("g", "gb", "gibibytes"),
            ("t", "tb", "tebibytes"),
        )
    )
    for name in names
}
_GPUS = "a number of hundredths of one GPU, from 0.01 to 1, or a whole number of GPUs"
_MEMORY = "an int of bytes, or a str such as '512m' or '8g'"


@dataclass(frozen=True)
class GpuResources:
    """
    The GPUs that each subtask of an operator needs, and what else its slot consists of: Flink asks
    for all of it as soon as one part is declared. The operator is put into a slot sharing group of
    its own, and its worker sees only the GPUs, or the one of which it has a part, that were found
    for it. See ``docs/gpu.md`` for what the cluster has to be configured with.

    :param gpus: How many GPUs each worker has: a part of one, in hundredths, or a whole number.
    :param memory: The most memory that PyTorch may take in the worker, on each GPU. By default a
                   worker with a part of a GPU may take that part of its memory, and a worker with
                   whole GPUs all of it.
    :param cpu_cores: CPU cores of the slot; by default 1.
    :param task_heap_memory: Java heap of the slot; by default 128 MiB.
    :param task_off_heap_memory: Off-heap memory of the slot; by default none, as Flink's
                                 TaskManagers have none to give unless they are configured to.
    :param managed_memory: Managed memory of the slot; by default none. An operator after this one
                           that shares its slot may need some, as for state in RocksDB.
    :raises AsyncBatchError: An argument is not accepted.
    """

    gpus: float
    memory: Optional[MemoryLike] = None
    cpu_cores: float = 1.0
    task_heap_memory: MemoryLike = "128m"
    task_off_heap_memory: MemoryLike = 0
    managed_memory: MemoryLike = 0

    def __post_init__(self) -> None:
        hundredths(self.gpus)
        if self.memory is not None:
            memory_bytes("memory", self.memory, or_else="None, or ")
        cores = _finite("cpu_cores", self.cpu_cores, "a positive number")
        # Flink counts in units of 1e-8 and drops the rest.
        if cores < 1e-8:
            raise InvalidOptionError("cpu_cores", self.cpu_cores, "a positive number")
        memory_bytes("task_heap_memory", self.task_heap_memory)
        memory_bytes("task_off_heap_memory", self.task_off_heap_memory, smallest=0)
        memory_bytes("managed_memory", self.managed_memory, smallest=0)


def hundredths(gpus: Any) -> int:
    """
    :return: A number of GPUs in hundredths, so that sums of them are exact.
    :raises AsyncBatchError: No worker can have so many.
    """
    number = _finite("gpus", gpus, _GPUS)
    rounded = round(number * 100)
    whole_hundredths = math.isclose(number * 100, rounded, rel_tol=1e-9)
    if not whole_hundredths or rounded < 1 or (rounded > 100 and rounded % 100):
        raise InvalidOptionError("gpus", gpus, _GPUS)
    if rounded > 100 * _MAX_GPUS:
        raise InvalidOptionError("gpus", gpus, f"at most {_MAX_GPUS}")
    return rounded


def memory_bytes(option: str, value: Any, smallest: int = 1, or_else: str = "") -> int:
    """
    :return: An amount of memory in bytes.
    :raises AsyncBatchError: The value is no amount of memory, or out of range.
    """
    accepted = or_else + _MEMORY
    if isinstance(value, str):
        match = _MEMORY_TEXT.fullmatch(value)
        unit = match and _UNITS.get(match.group(2).lower())
        if match is None or unit is None:
            raise InvalidOptionError(option, value, accepted)
        number = int(match.group(1)) * int(unit)
    elif isinstance(value, numbers.Integral) and not isinstance(value, (bool, np.bool_)):
        number = int(value)
    else:
        raise InvalidOptionTypeError(option, value, accepted)
    if not smallest <= number <= MAX_JAVA_LONG:
        bounds = f"from {smallest} to {MAX_JAVA_LONG} bytes"
        raise InvalidOptionError(option, value, f"{accepted}, {bounds}")
    return number


def _finite(option: str, value: Any, accepted: str) -> float:
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
        raise InvalidOptionTypeError(option, value, accepted)
    number = float(value)
    if not math.isfinite(number):
        raise InvalidOptionError(option, value, accepted)
    return number
