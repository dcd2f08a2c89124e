"""Exceptions as the operator gets to see them."""

from typing import Any

import pytest
from pyflink_async_batch._proto import async_batch_pb2
from pyflink_async_batch._worker import failures

USER_CODE = async_batch_pb2.Failure.USER_CODE


def describe(error: BaseException) -> Any:
    try:
        raise error
    except BaseException as raised:
        return failures.describe(raised, USER_CODE)


class OwnError(Exception):
    pass


def test_names_class_message_and_traceback() -> None:
    failure = describe(ValueError("boom"))
    assert (failure.kind, failure.error_class, failure.message) == (
        USER_CODE,
        "ValueError",
        "boom",
    )
    assert failure.traceback.startswith("Traceback (most recent call last)")
    assert failure.traceback.endswith("ValueError: boom")


def test_qualifies_classes_that_are_not_built_in() -> None:
    assert describe(OwnError()).error_class == "%s.OwnError" % __name__


def test_tells_the_cause() -> None:
    error = OwnError("second")
    error.__cause__ = ValueError("first")
    assert "ValueError: first" in describe(error).traceback


@pytest.mark.parametrize("raised", [RuntimeError("no"), SystemExit()])
def test_survives_an_exception_that_cannot_be_printed(raised: BaseException) -> None:
    class UnprintableError(Exception):
        def __str__(self) -> str:
            raise raised

    failure = describe(UnprintableError())
    assert failure.error_class.endswith("UnprintableError")
    assert failure.message == "<%s in __str__>" % type(raised).__name__
    assert "test_failure_reports.py" in failure.traceback


def test_cuts_a_huge_message_in_the_middle() -> None:
    failure = describe(ValueError("begin" + "x" * 10_000_000 + "end"))
    assert failure.message.startswith("begin")
    assert failure.message.endswith("end")
    assert len(failure.message) < 10_000
    assert len(failure.traceback) < 40_000


def test_replaces_what_utf8_cannot_hold() -> None:
    assert describe(ValueError("lone \ud800 surrogate")).message == "lone \\ud800 surrogate"
