"""Standalone clusters from pip's Flink: ``start-cluster.sh`` and the command ``flink``."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Callable, Optional, Sequence

import pyflink

FLINK_HOME = Path(pyflink.__file__).resolve().parent
JOBS = Path(__file__).resolve().parent / "jobs"
WAIT_SECONDS = 90
# Not those of the example, which a cluster of the developer may have taken.
FIRST_PROMETHEUS_PORT = 29_249


def until(condition: Callable[[], Any], what: str, seconds: float = WAIT_SECONDS) -> Any:
    """
    Waits for something that another process does, and gives it. A REST interface that does not
    answer, or with an error, is asked again.

    :raises TimeoutError: It did not happen.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            result = condition()
            if result:
                return result
            silence = ""
        except (urllib.error.URLError, ConnectionError, socket.timeout) as error:
            silence = ": %s" % error
        if time.monotonic() > deadline:
            raise TimeoutError("%s did not happen within %.0f s%s" % (what, seconds, silence))
        time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class SessionCluster:
    """A JobManager and TaskManagers with two slots, all on loopback, on ports of their own."""

    def __init__(
        self,
        directory: Path,
        thread_mode: bool = False,
        options: Sequence[str] = (),
        task_managers: int = 1,
    ) -> None:
        """
        :param thread_mode: whether the cluster is set up for Python functions in its TaskManager.
        :param options: more lines of its configuration.
        """
        self._thread_mode = thread_mode
        self._options = options
        self._task_managers = task_managers
        self.rest_port = _free_port()
        self.directory = directory
        self.temporary = directory / "tmp"
        self.logs = directory / "log"
        self.configuration = directory / "conf"
        shutil.copytree(FLINK_HOME / "conf", self.configuration)
        self.temporary.mkdir()
        self.logs.mkdir()
        self._configure(self.configuration / "config.yaml")
        (self.configuration / "workers").write_text("localhost\n" * task_managers)
        # Without a Python on the PATH that has PyFlink: jobs name their interpreter.
        self.environment = {
            **os.environ,
            "FLINK_HOME": str(FLINK_HOME),
            "FLINK_CONF_DIR": str(self.configuration),
            "FLINK_LOG_DIR": str(self.logs),
            "FLINK_PID_DIR": str(directory),
        }
        if thread_mode:
            self.environment["FLINK_LIB_DIR"] = str(lib_with_pyflink(directory))

    def _configure(self, file: Path) -> None:
        default = file.read_text(encoding="utf-8")
        # The JVM options that Flink ships; everything else is said here.
        options = next(line for line in default.splitlines() if line.strip().startswith("all: "))
        lines = [
            "env.java.opts.all: %s" % options.split("all: ", 1)[1],
            # A full collection then shows what is leaked: caches by soft references hold nothing.
            "env.java.opts.taskmanager: -XX:SoftRefLRUPolicyMSPerMB=0",
            "jobmanager.rpc.address: 127.0.0.1",
            "jobmanager.rpc.port: %d" % _free_port(),
            "jobmanager.bind-host: 127.0.0.1",
            "jobmanager.memory.process.size: 1g",
            "taskmanager.host: 127.0.0.1",
            "taskmanager.bind-host: 127.0.0.1",
            "taskmanager.memory.process.size: 1500m",
            "taskmanager.numberOfTaskSlots: 2",
            "metrics.fetcher.update-interval: 500",
            "rest.address: 127.0.0.1",
            "rest.bind-address: 127.0.0.1",
            "rest.port: %d" % self.rest_port,
            "io.tmp.dirs: %s" % self.temporary,
        ]
        if self._thread_mode:
            lines += [
                "python.execution-mode: thread",
                "classloader.parent-first-patterns.additional: pemja.",
            ]
        file.write_text("\n".join([*lines, *self._options]) + "\n", encoding="utf-8")

    def start(self) -> None:
        self.script("start-cluster.sh")
        self.await_task_managers()

    def await_task_managers(self) -> None:
        until(self.is_complete, "the TaskManagers' registration")

    def is_complete(self) -> bool:
        """Whether all TaskManagers are there that it should have."""
        return self.slots() == 2 * self._task_managers

    def start_task_manager(self) -> None:
        """Starts one in place of one that was killed."""
        self.script("taskmanager.sh", "start")

    def stop(self) -> None:
        if self._task_managers > 1:
            # By name, as some of those that were started may have been killed.
            self.script("taskmanager.sh", "stop-all")
        self.script("stop-cluster.sh")

    def end_orphans(self) -> None:
        """Ends the workers of stock PyFlink that outlive a TaskManager that was killed."""
        mark = b"FLINK_CONF_DIR=%s" % str(self.configuration).encode()
        for pid in _all_pids():
            if "pyflink.fn_execution" in _command_line(pid) and mark in _environment(pid):
                # It may be on its way out.
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def script(self, name: str, *arguments: str) -> None:
        subprocess.run(
            [str(FLINK_HOME / "bin" / name), *arguments],
            env=self.environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )

    def slots(self) -> int:
        try:
            return int(self.rest("/overview")["slots-total"])
        except OSError:
            return 0

    def rest(self, path: str, method: str = "GET") -> Any:
        request = urllib.request.Request(
            "http://127.0.0.1:%d%s" % (self.rest_port, path), method=method
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.loads(response.read())

    def flink_run(
        self, job: str, *arguments: str, detached: bool = False, program: Sequence[str] = ()
    ) -> str:
        """
        Runs ``flink run`` and gives what it printed.

        :param program: arguments for the job itself.
        """
        return self.flink(
            "run",
            *(["-d"] if detached else []),
            "-pyclientexec",
            sys.executable,
            *arguments,
            "-py",
            str(JOBS / job),
            *program,
        )

    def flink(self, *arguments: str) -> str:
        """Runs Flink's command line and gives what it printed."""
        done = subprocess.run(
            [str(FLINK_HOME / "bin" / "flink"), *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=2 * WAIT_SECONDS,
            check=False,
        )
        output = done.stdout.decode("utf-8", "replace")
        assert done.returncode == 0, output
        return output

    def submit(self, job: str, *arguments: str, program: Sequence[str] = ()) -> str:
        """
        Submits a job and gives its id.

        :param program: arguments for the job itself.
        """
        output = self.flink_run(job, *arguments, detached=True, program=program)
        return output.split("JobID ")[1].split()[0]

    def state(self, job: str) -> str:
        return str(self.rest("/jobs/%s" % job)["state"])

    def metric(self, job: str, name: str, value: str = "max") -> list[float]:
        """
        The values of a metric of the job's only vertex; empty if there is none yet.

        :param value: what of all subtasks' values.
        """
        (vertex,) = (v["id"] for v in self.rest("/jobs/%s" % job)["vertices"])
        path = "/jobs/%s/vertices/%s/subtasks/metrics" % (job, vertex)
        names = [m["id"] for m in self.rest(path) if m["id"].endswith("." + name)]
        if not names:
            return []
        return [m[value] for m in self.rest("%s?get=%s" % (path, names[0]))]

    def job_class_loaders(self) -> int:
        """How many class loaders of jobs the TaskManager still has, after a collection."""
        pid = str(self.task_manager())
        subprocess.run(["jcmd", pid, "GC.run"], check=True, stdout=subprocess.DEVNULL)
        statistics = subprocess.run(
            ["jcmd", pid, "VM.classloader_stats"], check=True, stdout=subprocess.PIPE
        )
        return statistics.stdout.count(b"ChildFirstClassLoader")

    def task_manager(self) -> int:
        """The process id of the TaskManager, of several the one that was started last."""
        (file,) = self.directory.glob("flink-*-taskexecutor.pid")
        return int(file.read_text().split()[-1])

    def task_manager_log(self) -> str:
        (file,) = self.logs.glob("flink-*-taskexecutor-*.log")
        return file.read_text(encoding="utf-8", errors="replace")

    def workers(self) -> list[int]:
        """The process ids of all workers of this cluster."""
        parent = self.task_manager()
        return [pid for pid in _children(parent) if "_worker.entrypoint" in _command_line(pid)]


def lib_with_pyflink(directory: Path) -> Path:
    """Flink's jars, and that of PyFlink beside them, as the documentation of the mode asks for."""
    lib = directory / "lib"
    lib.mkdir()
    for jar in [*(FLINK_HOME / "lib").glob("*.jar"), *(FLINK_HOME / "opt").glob("flink-python*")]:
        (lib / jar.name).symlink_to(jar)
    return lib


def _command_line(pid: int) -> str:
    try:
        return Path("/proc/%d/cmdline" % pid).read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def _environment(pid: int) -> list[bytes]:
    try:
        return Path("/proc/%d/environ" % pid).read_bytes().split(b"\0")
    except OSError:
        return []


def _children(parent: int) -> list[int]:
    return [pid for pid in _all_pids() if _parent(pid) == parent]


def _parent(pid: int) -> Optional[int]:
    try:
        stat = Path("/proc/%d/stat" % pid).read_text()
    except OSError:
        return None
    return int(stat[stat.rindex(")") + 2 :].split()[1])


def _all_pids() -> list[int]:
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]
