"""A job that fails half way goes on from its last checkpoint, with what was in flight."""

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from pyflink.common import Configuration, Time, Types
from pyflink.datastream import StreamExecutionEnvironment
from pyflink_async_batch import AsyncBatchFunction

ROWS = 10_000
# Results of the rows before this one are emitted long before the failure.
FIRST_HELD = 5_000
BATCH_SIZE = 10
CAPACITY = 4


class FailsOnceAfterCheckpoints(AsyncBatchFunction[int, int]):
    """
    Holds every batch from one row on, so that the operator is full, and fails as soon as two more
    checkpoints are complete, but only once.
    """

    def __init__(self, checkpoints: str, report: str, kill: bool) -> None:
        self.checkpoints = checkpoints
        self.report = report
        self.kill = kill

    def open(self, runtime_context: Any) -> None:
        self.attempt = runtime_context.get_attempt_number()
        self.failed = False

    def completed_checkpoints(self) -> int:
        numbers = [
            int(metadata.parent.name[len("chk-") :])
            for metadata in Path(self.checkpoints).glob("*/chk-*/_metadata")
        ]
        return max(numbers, default=0)

    def tell(self, **fields: Any) -> None:
        with open(self.report, "a") as report:
            report.write(json.dumps(fields) + "\n")

    async def async_invoke_batch(self, inputs: list[int]) -> list[int]:
        self.tell(attempt=self.attempt, first=inputs[0])
        if self.attempt == 0 and inputs[0] >= FIRST_HELD:
            # The second one from now was triggered when everything before was emitted.
            needed = self.completed_checkpoints() + 2
            while self.completed_checkpoints() < needed:  # noqa: ASYNC110 another process's doing
                await asyncio.sleep(0.01)
            if not self.failed:
                self.failed = True
                self.tell(failed=True)
                if self.kill:
                    os.kill(os.getpid(), signal.SIGKILL)
                raise RuntimeError("fails once")
        return [value * 2 for value in inputs]


@pytest.mark.parametrize("unaligned", [False, True], ids=["aligned", "unaligned"])
@pytest.mark.parametrize(
    "kill",
    [
        pytest.param(False, id="exception"),
        pytest.param(True, id="kill", marks=pytest.mark.process_mode),
    ],
)
def test_every_element_has_one_result_after_a_failure(
    wait_batch: Any,
    ordering: str,
    environment: StreamExecutionEnvironment,
    numbers: Any,
    collect: Any,
    report: Any,
    tmp_path: Path,
    kill: bool,
    unaligned: bool,
) -> None:
    checkpoints = tmp_path / "checkpoints"
    configuration = Configuration()
    configuration.set_string("execution.checkpointing.interval", "50 ms")
    configuration.set_string("execution.checkpointing.dir", checkpoints.as_uri())
    configuration.set_string("execution.checkpointing.num-retained", "1")
    configuration.set_string("execution.checkpointing.unaligned.enabled", str(unaligned).lower())
    configuration.set_string("restart-strategy.type", "fixed-delay")
    configuration.set_string("restart-strategy.fixed-delay.attempts", "1")
    configuration.set_string("restart-strategy.fixed-delay.delay", "0 ms")
    environment.configure(configuration)

    function = FailsOnceAfterCheckpoints(str(checkpoints), report.path, kill)
    stream = wait_batch(
        numbers(ROWS),
        function,
        Time.seconds(100),
        BATCH_SIZE,
        capacity=CAPACITY,
        output_type=Types.LONG(),
    )
    # What is collected is committed by checkpoints: results after the last one are not seen twice.
    results = collect(stream)

    expected = [value * 2 for value in range(ROWS)]
    if ordering == "ordered":
        assert results == expected
    else:
        assert sorted(results) == expected
    lines = [json.loads(line) for line in report.lines()]
    assert lines.count({"failed": True}) == 1
    repeated = [line["first"] for line in lines if line.get("attempt") == 1]
    # Nothing that was emitted before the checkpoint was invoked again; what was in flight, was.
    assert min(repeated) == FIRST_HELD


def test_a_job_does_not_restart_by_itself_without_a_strategy(
    wait_batch: Any, numbers: Any, failure_of: Any, report: Any, tmp_path: Path
) -> None:
    class FailsAlways(FailsOnceAfterCheckpoints):
        async def async_invoke_batch(self, inputs: list[int]) -> list[int]:
            self.tell(attempt=self.attempt)
            raise RuntimeError("fails at once")

    function = FailsAlways(str(tmp_path), report.path, False)
    text = failure_of(
        wait_batch(numbers(5), function, Time.seconds(60), 10, output_type=Types.LONG())
    )
    assert "fails at once" in text
    assert [json.loads(line) for line in report.lines()] == [{"attempt": 0}]
