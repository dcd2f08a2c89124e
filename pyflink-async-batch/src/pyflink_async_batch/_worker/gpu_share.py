"""
The GPUs of one worker: taken before any of the user's code runs, and had until the process ends.

What the operator wants for its worker comes by environment and is taken out of it. What the worker
has got is in the environment too, for CUDA and for the user's code.
"""

import os
import sys
import time
from typing import List, Optional, Sequence

from pyflink_async_batch._worker.gpu_assignment import WHOLE
from pyflink_async_batch._worker.gpu_leases import HeldLease, Lease, LeaseDirectory
from pyflink_async_batch._worker.gpu_memory import MemoryCap

# What the operator says; see GpuShare in Java.
_LEASE_VARIABLE = "_ASYNC_BATCH_GPU_LEASE"
_DEVICES_VARIABLE = "_ASYNC_BATCH_GPU_DEVICES"
_WANTED_VARIABLE = "_ASYNC_BATCH_GPU_HUNDREDTHS"
_HOLDER_VARIABLE = "_ASYNC_BATCH_GPU_HOLDER"
_MEMORY_VARIABLE = "_ASYNC_BATCH_GPU_MEMORY"

#: What user code may read: GPUs of this worker, and bytes on each if a cap was given.
SHARE_VARIABLE = "PYFLINK_ASYNC_BATCH_GPUS"
MEMORY_VARIABLE = "PYFLINK_ASYNC_BATCH_GPU_MEMORY_BYTES"

_POLL_SECONDS = 0.2
_REPORT_SECONDS = 10.0

# Had until the process ends.
_held: Optional[HeldLease] = None


def take_from_environment() -> None:
    """
    Waits until the worker's GPUs are free and takes them. Whoever waits for the worker bounds how
    long; what it waits for is said on the standard error. Does nothing in a worker without GPUs.
    """
    global _held
    path = os.environ.pop(_LEASE_VARIABLE, None)
    if path is None:
        return
    devices = os.environ.pop(_DEVICES_VARIABLE).split(",")
    wanted = int(os.environ.pop(_WANTED_VARIABLE))
    holder = "%s, process %d" % (os.environ.pop(_HOLDER_VARIABLE), os.getpid())
    memory = os.environ.pop(_MEMORY_VARIABLE, None)

    directory, name = os.path.split(path)
    _held = _wait(LeaseDirectory(directory), name, wanted, devices, holder)

    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(_held.lease.devices)
    # The order in which nvidia-smi, and so Flink's discovery script, counts. CUDA's own is another.
    os.environ["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
    os.environ[SHARE_VARIABLE] = "%g" % (wanted / WHOLE)
    if memory is not None:
        os.environ[MEMORY_VARIABLE] = memory
    if memory is not None or wanted < WHOLE:
        MemoryCap(min(wanted, WHOLE) / WHOLE, int(memory) if memory else None).install()


def _wait(
    leases: LeaseDirectory, name: str, wanted: int, devices: Sequence[str], holder: str
) -> HeldLease:
    reported = -_REPORT_SECONDS
    while True:
        lease = leases.take(name, wanted, devices, holder)
        if lease is not None:
            return lease
        if time.monotonic() - reported >= _REPORT_SECONDS:
            reported = time.monotonic()
            sys.stderr.write(_describe(wanted, devices, leases.leases()) + "\n")
            sys.stderr.flush()
        time.sleep(_POLL_SECONDS)


def _describe(wanted: int, devices: Sequence[str], leases: List[Lease]) -> str:
    lines = ["Waiting for %g of the GPUs %s:" % (wanted / WHOLE, ", ".join(devices))]
    for device in devices:
        holders = [
            "%g has %s" % (lease.devices[device] / WHOLE, lease.holder)
            for lease in leases
            if device in lease.devices
        ]
        lines.append("  of GPU %s, %s" % (device, "; ".join(holders) or "nobody has any"))
    return "\n".join(lines)
