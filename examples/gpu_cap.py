"""
Shows that a worker with a part of a GPU cannot take more of its memory: PyTorch allocates what is
below the cap and refuses what is above. Needs a GPU and PyTorch, and neither Flink nor Java:

    python examples/gpu_cap.py --share 0.1
    python examples/gpu_cap.py --memory-bytes 2147483648
"""

import argparse
import importlib.util
import sys
from pathlib import Path
from typing import Any

MODULE = "pyflink-async-batch/src/pyflink_async_batch/_worker/gpu_memory.py"


def load_gpu_memory() -> Any:
    """The worker's own module, by its path: its package needs PyFlink, and it does not."""
    path = Path(__file__).resolve().parents[1] / MODULE
    spec = importlib.util.spec_from_file_location("gpu_memory", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=0.1, help="the worker's part of the GPU")
    parser.add_argument("--memory-bytes", type=int, help="the cap, instead of the share")
    arguments = parser.parse_args()

    load_gpu_memory().MemoryCap(arguments.share, arguments.memory_bytes).install()
    # As a function does, in open() or at the head of its module.
    import torch

    if not torch.cuda.is_available():
        sys.exit("PyTorch sees no GPU")
    total = torch.cuda.get_device_properties(0).total_memory
    cap = arguments.memory_bytes or int(arguments.share * total)
    print(f"{torch.cuda.get_device_name(0)}: {total / 2**20:.0f} MiB, cap {cap / 2**20:.0f} MiB")

    below = torch.empty(int(cap * 0.9), dtype=torch.uint8, device="cuda")
    print(f"below the cap: {below.numel() / 2**20:.0f} MiB allocated")
    del below
    torch.cuda.empty_cache()

    # Free memory there is: only the cap can refuse it.
    above = int(cap * 1.1)
    free, _ = torch.cuda.mem_get_info()
    if free < above:
        sys.exit(f"only {free / 2**20:.0f} MiB are free, choose a smaller cap")
    try:
        torch.empty(above, dtype=torch.uint8, device="cuda")
    except torch.OutOfMemoryError as error:
        print(f"above the cap: {above / 2**20:.0f} MiB refused: {str(error).splitlines()[0]}")
        return
    sys.exit(f"{above / 2**20:.0f} MiB were allocated although the cap is {cap / 2**20:.0f} MiB")


if __name__ == "__main__":
    main()
