"""Whether the checks of the endurance run notice what they are there for: each is broken once."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from soak import checks, output, plan, processes
from soak.output import Results
from soak.processes import Holdings
from soak.rows import PIECES, ROWS_OF_A_PIECE, Rows
from soak.watch import Idle, Sample

ROWS = Rows(seed=5, most_letters=50, most_letters_of_large=500)
MIB = 2**20
NOTHING = Holdings(threads=50, descriptors=100, our_threads=0, our_segments=0, listening=3)


def failed(judged: Any) -> list[str]:
    return [check.name for check in judged if not check.passed]


class Output:
    """A run of 50,000 rows in which all was well, to be broken by a test."""

    def __init__(self) -> None:
        numbers = np.concatenate(
            [np.arange(25_000) + piece * ROWS_OF_A_PIECE for piece in range(PIECES)]
        )
        failing = ROWS.are_to_fail(numbers)
        self.numbers = numbers[~failing]
        self.letters = ROWS.letters(self.numbers)
        self.dead = {"ROW_FAILURE": numbers[failing]}

    def give_up(self, index: int, kind: str) -> None:
        """Makes a dead letter of what was a result."""
        self.dead[kind] = np.append(self.dead.get(kind, np.empty(0, int)), self.numbers[index])
        self.drop(index)

    def drop(self, index: int) -> None:
        self.numbers = np.delete(self.numbers, index)
        self.letters = np.delete(self.letters, index)

    def repeat(self, index: int) -> None:
        self.numbers = np.append(self.numbers, self.numbers[index])
        self.letters = np.append(self.letters, self.letters[index])

    def judged(self) -> list[str]:
        return failed(checks.of_rows(Results([self.numbers], [self.letters]), self.dead, ROWS))


@pytest.fixture
def written() -> Output:
    return Output()


def test_a_run_in_which_all_was_well_passes(written: Output) -> None:
    assert len(written.dead["ROW_FAILURE"]) > 20
    assert written.judged() == []


def test_a_row_that_timed_out_is_a_dead_letter_like_any_other(written: Output) -> None:
    written.give_up(7, "TIMEOUT")
    assert written.judged() == []


def test_a_lost_row_is_noticed(written: Output) -> None:
    written.drop(3_000)
    assert written.judged() == ["rows lost"]


def test_a_lost_dead_letter_is_noticed(written: Output) -> None:
    written.dead["ROW_FAILURE"] = written.dead["ROW_FAILURE"][1:]
    assert written.judged() == ["rows lost"]


def test_a_repeated_row_is_noticed(written: Output) -> None:
    written.repeat(3_000)
    assert written.judged() == ["rows repeated"]


def test_a_row_that_has_a_result_and_a_dead_letter_is_noticed(written: Output) -> None:
    written.dead["TIMEOUT"] = written.numbers[:1]
    assert written.judged() == ["rows repeated"]


def test_a_result_of_another_row_is_noticed(written: Output) -> None:
    written.letters[3_000] = -1
    assert written.judged() == ["results that are wrong"]


def test_a_result_of_a_row_that_fails_is_noticed(written: Output) -> None:
    number, written.dead["ROW_FAILURE"] = np.split(written.dead["ROW_FAILURE"], [1])
    written.numbers = np.append(written.numbers, number)
    written.letters = np.append(written.letters, ROWS.letters(number))
    assert written.judged() == ["results of rows that fail"]


def test_an_innocent_row_that_is_given_up_is_noticed(written: Output) -> None:
    written.give_up(7, "EXCEPTION")
    assert written.judged() == ["innocent rows given up"]


def test_a_row_that_is_given_up_for_another_reason_is_noticed(written: Output) -> None:
    written.give_up(7, "WORKER_LOST")
    assert written.judged() == ["rows given up for other reasons"]


def test_an_empty_output_is_noticed() -> None:
    assert failed(checks.of_rows(Results([], []), {}, ROWS)) == ["rows that came out"]


def test_rows_out_of_order_are_noticed() -> None:
    both = np.array([0, ROWS_OF_A_PIECE, 1, ROWS_OF_A_PIECE + 1, 2])
    assert failed(checks.of_order(Results([both], [both]))) == []
    displaced = np.array([0, ROWS_OF_A_PIECE + 1, 1, ROWS_OF_A_PIECE])
    assert failed(checks.of_order(Results([displaced], [displaced]))) == ["rows out of order"]


def test_a_kind_that_did_not_happen_is_noticed() -> None:
    counts = dict.fromkeys(plan.FAULTS, 2)
    assert failed(checks.of_faults(counts, plan.FAULTS, len(counts))) == []
    assert failed(checks.of_faults(counts, plan.FAULTS, 3 * len(counts))) == ["faults"]
    del counts[plan.TASK_MANAGER_KILLED]
    assert failed(checks.of_faults(counts, plan.FAULTS, 0)) == ["kinds that did not happen"]


def samples(resident: Callable[[int], int], descriptors: Callable[[int], int]) -> list[Sample]:
    return [
        Sample(float(second), role, resident(second), descriptors(second))
        for second in range(100)
        for role in (processes.TASK_MANAGER, processes.WORKER)
    ]


def test_memory_that_grows_is_noticed() -> None:
    steady = samples(lambda _: 100 * MIB, lambda _: 20)
    assert failed(checks.of_memory(steady, 0.1)) == []
    growing = samples(lambda second: (100 + second // 3) * MIB, lambda _: 20)
    assert failed(checks.of_memory(growing, 0.1)) == [
        "memory of a TaskManager",
        "memory of a worker",
    ]
    only_workers = [sample for sample in steady if sample.role == processes.WORKER]
    assert failed(checks.of_memory(only_workers, 0.1)) == ["memory of a TaskManager"]


def test_descriptors_that_grow_are_noticed() -> None:
    steady = samples(lambda _: MIB, lambda second: 20 + second % 10)
    assert failed(checks.of_descriptors(steady)) == []
    growing = samples(lambda _: MIB, lambda second: 20 + second)
    assert failed(checks.of_descriptors(growing)) == ["descriptors of a worker"]


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"our_threads": 1}, "threads left by a job"),
        ({"our_segments": 1}, "segments left by a job"),
        ({"listening": 4}, "listening sockets left by jobs"),
        ({"threads": 56}, "threads more than at first"),
        ({"descriptors": 121}, "descriptors more than at first"),
    ],
)
def test_what_a_task_manager_still_holds_is_noticed(change: dict[str, int], name: str) -> None:
    first = Idle({1: NOTHING}, workers=0)
    assert failed(checks.of_leaks([first, first], 0, [])) == []
    last = Idle({1: NOTHING._replace(**change)}, workers=0)
    assert failed(checks.of_leaks([first, last], 0, [])) == [name]


def test_a_task_manager_that_has_just_started_may_still_grow() -> None:
    starting = NOTHING._replace(threads=5, descriptors=10, listening=0)
    looks = [Idle({1: NOTHING, 2: starting}, workers=0), Idle({1: NOTHING, 2: NOTHING}, workers=0)]
    assert failed(checks.of_leaks(looks, 0, [])) == []


def test_workers_processes_and_files_that_are_left_are_noticed() -> None:
    clean = Idle({1: NOTHING}, workers=0)
    left = Idle({1: NOTHING}, workers=1)
    assert failed(checks.of_leaks([clean, left], 0, [])) == ["workers left by a job"]
    assert failed(checks.of_leaks([clean], 1, [])) == ["processes left by the cluster"]
    assert failed(checks.of_leaks([clean], 0, ["a file"])) == ["files left"]


LEAKS = """
import os, socket, sys, threading
print("clean", flush=True)
sys.stdin.readline()
segment = os.memfd_create("async-batch-of-a-test")
threading.Thread(target=threading.Event().wait, daemon=True).start()
listening = socket.socket()
listening.bind(("127.0.0.1", 0))
listening.listen()
print("leaked", flush=True)
sys.stdin.readline()
"""


def test_a_leaked_descriptor_socket_segment_and_thread_are_seen_in_a_process() -> None:
    # In a process in which nobody else opens or closes anything.
    with subprocess.Popen(
        [sys.executable, "-c", LEAKS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdout.readline()
        before = processes.holdings(child.pid)
        child.stdin.write("leak\n")
        child.stdin.flush()
        child.stdout.readline()
        after = processes.holdings(child.pid)
        child.stdin.close()
    assert after.descriptors == before.descriptors + 2
    assert after.threads == before.threads + 1
    assert after.listening == before.listening + 1
    assert after.our_segments == before.our_segments + 1


def test_a_leaked_process_is_found_by_the_cluster_that_it_is_of(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    environment = {**os.environ, "FLINK_CONF_DIR": str(tmp_path)}
    orphan = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE)
    try:
        give_up = time.monotonic() + 60
        seen: list[int] = []
        while not seen and time.monotonic() < give_up:
            of_cluster = processes.of_cluster(tmp_path)
            seen = [process.pid for members in of_cluster.values() for process in members]
        assert seen == [orphan.pid]
        elsewhere = processes.of_cluster(tmp_path / "another")
        assert not any(elsewhere.values())
    finally:
        orphan.communicate()


def test_left_files_are_found(tmp_path: Path) -> None:
    (tmp_path / "tm" / "async-batch-1").mkdir(parents=True)
    (tmp_path / "python-dist-1").mkdir()
    (tmp_path / "blobStore").mkdir()
    names = [path.name for path in processes.our_files(tmp_path)]
    assert sorted(names) == ["async-batch-1", "python-dist-1"]


def test_only_what_was_committed_is_read(tmp_path: Path) -> None:
    bucket = tmp_path / "2026-01-01--00"
    bucket.mkdir()
    (bucket / "part-0-0").write_text("1 10\n2 20\n")
    (bucket / ".part-0-1.inprogress.x").write_text("3 30\n")
    (results,) = zip(*output.results(tmp_path))
    assert [column.tolist() for column in results] == [[1, 2], [10, 20]]
    assert output.lines(tmp_path) == 3


def test_dead_letters_are_read_as_flink_writes_them(tmp_path: Path) -> None:
    lines = [
        "+I[12 abc, ROW_FAILURE, , a row that fails, 1, 2026-01-01T00:00:00Z]",
        "+I[7 , TIMEOUT, TimeoutError, the backend did not answer, 2, 2026-01-01T00:00:00Z]",
        "+I[9 ab, TIMEOUT, TimeoutError, the backend did not answer, 2, 2026-01-01T00:00:00Z]",
    ]
    (tmp_path / "part-0-0").write_text("".join(f"{line}\n" for line in lines))
    read = output.dead_letters(tmp_path)
    assert {kind: numbers.tolist() for kind, numbers in read.items()} == {
        "ROW_FAILURE": [12],
        "TIMEOUT": [7, 9],
    }
    (tmp_path / "part-0-1").write_text("12\n")
    with pytest.raises(ValueError, match="no dead letters"):
        output.dead_letters(tmp_path)


def test_a_seed_says_what_happens_and_every_kind_does() -> None:
    def first(seed: int, decks: int = 3) -> list[list[str]]:
        dealt = plan.drawn(random.Random(seed), rescales=True)
        return [next(dealt) for _ in range(decks)]

    assert first(1) == first(1)
    assert first(1) != first(2)
    for deck in first(1):
        assert set(deck) == {*plan.FAULTS, *plan.MOVES}
    without = next(plan.drawn(random.Random(1), rescales=False))
    assert set(plan.RESCALES).isdisjoint(without)
