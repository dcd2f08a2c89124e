"""How a job of a benchmark is stopped through a REST interface that is busy, or says no."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Optional

import pytest
from local_job import RunningJob, StopError

Answer = Optional[tuple[int, Any]]
MADE = (200, {"status": {"id": "COMPLETED"}, "operation": {"location": "file:///savepoint"}})
ASKED = (202, {"request-id": "of no interest"})
BUSY = (503, {"errors": ["ask timed out"]})
NOT_YET = (200, {"status": {"id": "IN_PROGRESS"}})


class Client:
    def get_job_id(self) -> str:
        return "job"


@contextmanager
def job(answers: list[Answer]) -> Iterator[tuple[RunningJob, list[str]]]:
    """A job whose interface gives these answers, None for none, and what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.answer(body["triggerId"])

        def do_GET(self) -> None:
            self.answer(self.path.rsplit("/", 1)[1])

        def answer(self, trigger: str) -> None:
            asked.append(trigger)
            given = answers.pop(0)
            if given is not None:
                body = json.dumps(given[1]).encode()
                self.send_response(given[0])
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield RunningJob(Client(), server.server_port), asked
        finally:
            server.shutdown()
            thread.join()


def test_answers_that_are_lost_are_asked_for_again_and_make_one_savepoint() -> None:
    with job([None, BUSY, ASKED, NOT_YET, None, BUSY, MADE]) as (running, asked):
        assert running.stop(Path("/savepoints"), drain=False) == "file:///savepoint"
    assert len(asked) == 7
    assert len(set(asked)) == 1


@pytest.mark.parametrize(
    "answers",
    [
        [(409, {"errors": ["not all required tasks are currently running"]})],
        [
            ASKED,
            (
                200,
                {
                    "status": {"id": "COMPLETED"},
                    "operation": {
                        "failure-cause": {"stack-trace": "not all required tasks are currently"}
                    },
                },
            ),
        ],
    ],
)
def test_a_savepoint_that_is_refused_is_told(answers: list[Answer]) -> None:
    with (
        job(answers) as (running, _),
        pytest.raises(StopError, match="not all required tasks are currently"),
    ):
        running.stop(Path("/savepoints"), drain=True)
