"""
Keeps PyTorch to a worker's share of GPU memory.

The cap is set when PyTorch has been imported, by whomever and whenever that is, and never imports
it: a function that uses something else pays nothing for it. This module needs the standard library
alone.
"""

import importlib.util
import logging
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Callable, Optional, Sequence

_LOGGER = logging.getLogger(__name__)


class MemoryCap:
    """
    The most memory that one process takes on each device that it sees.

    :param share: a part of the device's memory, above 0 and at most 1.
    :param memory_bytes: counts instead of the share, if it is given.
    """

    def __init__(self, share: float, memory_bytes: Optional[int] = None) -> None:
        self._share = share
        self._bytes = memory_bytes

    def install(self) -> None:
        """Has PyTorch keep to it: at once if it was imported, otherwise when it will be."""
        torch = sys.modules.get("torch")
        if torch is not None:
            self.apply(torch)
        else:
            sys.meta_path.insert(0, _AfterImport("torch", self.apply))

    def apply(self, torch: Any) -> None:
        """
        :param torch: the module.
        :raises ValueError: the cap is more than a device has.
        """
        if not torch.cuda.is_available():
            _LOGGER.warning("PyTorch sees no GPU: the cap on GPU memory has no effect")
            return
        for device in range(torch.cuda.device_count()):
            total = torch.cuda.get_device_properties(device).total_memory
            torch.cuda.set_per_process_memory_fraction(self._fraction(total, device), device)

    def _fraction(self, total: int, device: int) -> float:
        if self._bytes is None:
            return self._share
        if self._bytes > total:
            raise ValueError(
                "GpuResources.memory must be at most what a GPU has: got %d bytes, and device %d "
                "has %d" % (self._bytes, device, total)
            )
        return self._bytes / total


class _AfterImport:
    """
    A finder that finds nothing itself: it lets the others find one module and calls back when its
    code has run.
    """

    def __init__(self, name: str, callback: Callable[[ModuleType], None]) -> None:
        self._name = name
        self._callback = callback

    def find_spec(
        self,
        fullname: str,
        path: Optional[Sequence[str]] = None,
        target: Optional[ModuleType] = None,
    ) -> Optional[ModuleSpec]:
        if fullname != self._name:
            return None
        sys.meta_path.remove(self)
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            # It may be looked for again: not there yet, or its import failed.
            sys.meta_path.insert(0, self)
        if spec is not None and spec.loader is not None:
            self._call_back_after(spec.loader)
        return spec

    def _call_back_after(self, loader: Any) -> None:
        # On the loader that was found, and not one around it: packages ask their loader for much
        # more than to be executed.
        execute = loader.exec_module

        def execute_and_call_back(module: ModuleType) -> None:
            del loader.exec_module
            execute(module)
            if self in sys.meta_path:
                sys.meta_path.remove(self)
            self._callback(module)

        loader.exec_module = execute_and_call_back
