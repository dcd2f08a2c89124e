"""The cap on PyTorch's memory: set once PyTorch is imported, and by nobody else's import."""

import importlib
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pyflink_async_batch._worker import gpu_memory
from pyflink_async_batch._worker.gpu_memory import MemoryCap

GIB = 2**30

# A package, so that what it asks of its loader is what PyTorch asks.
TORCH = """
from types import SimpleNamespace
import torch.parts

CAPS = []
cuda = SimpleNamespace(
    is_available=lambda: True,
    device_count=lambda: 2,
    get_device_properties=lambda device: SimpleNamespace(total_memory=(8 << device) * 2**30),
    set_per_process_memory_fraction=lambda fraction, device: CAPS.append((fraction, device)),
)
"""


@pytest.fixture
def torch_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    package = tmp_path / "torch"
    package.mkdir()
    (package / "__init__.py").write_text(TORCH)
    (package / "parts.py").write_text("NAME = __name__\n")
    (package / "model.txt").write_text("a file of the package\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    finders = list(sys.meta_path)
    importlib.invalidate_caches()
    yield package
    sys.meta_path[:] = finders
    for name in [name for name in sys.modules if name == "torch" or name.startswith("torch.")]:
        del sys.modules[name]


def test_the_cap_is_set_when_torch_is_imported(torch_package: Path) -> None:
    finders = list(sys.meta_path)
    MemoryCap(0.5).install()
    assert "torch" not in sys.modules
    torch = importlib.import_module("torch")
    assert torch.CAPS == [(0.5, 0), (0.5, 1)]
    assert torch.parts.NAME == "torch.parts"
    assert sys.meta_path == finders


def test_the_cap_is_set_at_once_where_torch_is_there(torch_package: Path) -> None:
    torch = importlib.import_module("torch")
    MemoryCap(0.25).install()
    assert torch.CAPS == [(0.25, 0), (0.25, 1)]


def test_bytes_are_a_part_of_each_device(torch_package: Path) -> None:
    MemoryCap(0.5, 2 * GIB).install()
    assert importlib.import_module("torch").CAPS == [(0.25, 0), (0.125, 1)]


def test_the_package_is_found_and_read_as_without_a_cap(torch_package: Path) -> None:
    from importlib import resources

    MemoryCap(0.5).install()
    # As those do who ask whether it is installed.
    assert importlib.util.find_spec("torch") is not None
    assert importlib.util.find_spec("torch") is not None
    assert "torch" not in sys.modules
    torch: Any = importlib.import_module("torch")
    assert torch.CAPS == [(0.5, 0), (0.5, 1)]
    assert resources.files("torch").joinpath("model.txt").read_text() == "a file of the package\n"
    assert "exec_module" not in vars(torch.__spec__.loader)


def test_an_import_that_fails_may_be_tried_again(torch_package: Path) -> None:
    init = torch_package / "__init__.py"
    init.write_text("raise OSError('libcuda is missing')\n")
    MemoryCap(0.5).install()
    with pytest.raises(OSError, match="libcuda is missing"):
        importlib.import_module("torch")
    init.write_text(TORCH + "# and longer\n")
    importlib.invalidate_caches()
    assert importlib.import_module("torch").CAPS == [(0.5, 0), (0.5, 1)]


def test_a_missing_torch_is_missing() -> None:
    finders = list(sys.meta_path)
    MemoryCap(0.5).install()
    try:
        with pytest.raises(ModuleNotFoundError, match="torch"):
            importlib.import_module("torch")
    finally:
        sys.meta_path[:] = finders


def test_more_than_a_device_has_is_refused(torch_package: Path) -> None:
    MemoryCap(0.5, 9 * GIB).install()
    expected = "memory must be at most what a GPU has: got %d bytes, and device 0 has %d"
    with pytest.raises(ValueError, match=expected % (9 * GIB, 8 * GIB)):
        importlib.import_module("torch")


def test_without_a_gpu_nothing_is_capped(caplog: pytest.LogCaptureFixture) -> None:
    MemoryCap(0.5).apply(SimpleNamespace(cuda=SimpleNamespace(is_available=lambda: False)))
    assert "PyTorch sees no GPU" in caplog.text


def test_the_module_needs_the_standard_library_alone() -> None:
    program = "import importlib.util as u; s = u.spec_from_file_location('m', %r); " % (
        gpu_memory.__file__
    )
    program += "m = u.module_from_spec(s); s.loader.exec_module(m); m.MemoryCap(0.5).install()"
    subprocess.run([sys.executable, "-S", "-c", program], check=True)
