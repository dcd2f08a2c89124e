"""The worker's secrets: taken from the environment once, shown to Beam's servers only."""

import os
import subprocess
import sys

import pytest
from pyflink_async_batch._worker import worker_secrets


@pytest.fixture(autouse=True)
def given_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_ASYNC_BATCH_SECRET", "the-secret")
    monkeypatch.setenv("_ASYNC_BATCH_TOKEN", "0a0b")
    monkeypatch.setattr(worker_secrets, "_secret", None)
    monkeypatch.setattr(worker_secrets, "_token", None)


def test_nothing_that_the_user_starts_inherits_them() -> None:
    worker_secrets.take_from_environment()
    child = subprocess.run(
        [sys.executable, "-c", "import os; print([k for k in os.environ if 'ASYNC_BATCH' in k])"],
        env=os.environ,
        stdout=subprocess.PIPE,
        check=True,
    )
    assert child.stdout.strip() == b"[]"


def test_the_token_can_be_used_once() -> None:
    worker_secrets.take_from_environment()
    assert worker_secrets.take_token() == b"\x0a\x0b"
    with pytest.raises(RuntimeError, match="used already"):
        worker_secrets.take_token()


def test_a_worker_cannot_be_started_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("_ASYNC_BATCH_TOKEN")
    with pytest.raises(SystemExit, match="started by the operator only"):
        worker_secrets.take_from_environment()


def test_beams_calls_carry_the_secret_beside_the_worker_id(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from apache_beam.runners.worker import worker_id_interceptor

    interceptor_class = worker_id_interceptor.WorkerIdInterceptor
    monkeypatch.setattr(interceptor_class, "_intercept", interceptor_class._intercept)
    worker_secrets.take_from_environment()
    worker_secrets.add_to_beam_channels()
    seen = []

    class Details:
        method, timeout, credentials = "m", None, None
        metadata = [("given", "1")]

    interceptor_class("w-1").intercept_unary_unary(
        lambda details, request: seen.append((details.metadata, request)), Details(), "request"
    )
    assert seen == [
        ([("given", "1"), ("worker_id", "w-1"), ("async-batch-secret", "the-secret")], "request")
    ]
