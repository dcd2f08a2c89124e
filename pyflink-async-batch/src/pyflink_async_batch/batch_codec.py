"""What users write to have elements go through a Batch API, and what they get of them."""

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Generic, Optional, Tuple, TypeVar

from pyflink.datastream.functions import RuntimeContext

__all__ = ["BatchCodec", "FailedRow", "RequestCodec", "RequestId", "ResultCodec", "SubmittedRow"]

#: As in Java.
_MOST_CHARACTERS = 1_000

IN = TypeVar("IN")
OUT = TypeVar("OUT")


class _Codec:
    """The life of a codec."""

    def open(self, runtime_context: RuntimeContext) -> None:
        """Called once in each worker, before anything else. What it raises fails the job."""

    def close(self) -> None:
        """Called once in each worker, at its end."""


class RequestCodec(_Codec, ABC, Generic[IN]):
    """
    Turns elements into requests.

    It is pickled with the job, and runs in Python workers, which call one copy's methods from one
    thread.
    """

    @abstractmethod
    def request(self, value: IN) -> Any:
        """
        The request for an element: anything that ``json.dumps`` takes. With OpenAI's API the body
        of a call, such as ``{"model": ..., "messages": [...]}``.

        What it raises fails the job or, with ``on_failure="side_output"``, puts the element aside
        under the code ``request_refused``.
        """


class ResultCodec(_Codec, ABC, Generic[OUT]):
    """
    Turns responses into results, where the elements are not known: in the job of a
    :class:`~pyflink_async_batch.BatchInferenceCollector`.

    It is pickled with the job, and runs in Python workers, which call one copy's methods from one
    thread.
    """

    @abstractmethod
    def result(self, custom_id: str, response: Any) -> OUT:
        """
        The result of a request.

        What it raises fails the job or, with ``on_failure="side_output"``, puts the request aside
        under the code ``result_refused``.

        :param custom_id: Which request, as in :class:`SubmittedRow`.
        :param response: What ``json.loads`` makes of the response. With OpenAI's API the body of
                         the response.
        """


class BatchCodec(RequestCodec[IN], Generic[IN, OUT]):
    """
    Turns elements into requests and responses into results.

    It is pickled with the job, and runs in Python workers, which call one copy's methods from one
    thread. :func:`request` and :func:`result` run in different copies.
    """

    @abstractmethod
    def result(self, value: IN, response: Any) -> OUT:
        """
        The result of an element.

        What it raises fails the job or, with ``on_failure="side_output"``, puts the element aside
        under the code ``result_refused``; it is not submitted again, since the operator has let it
        go by then.

        :param value: The element, as it was when its request was made.
        :param response: What ``json.loads`` makes of the response. With OpenAI's API the body of
                         the response.
        """


@dataclass(frozen=True)
class SubmittedRow(Generic[IN]):
    """
    An element of a batch that the provider has.

    :param custom_id: Of its request; no other request has it.
    :param value: The element.
    """

    custom_id: str
    value: IN


@dataclass(frozen=True)
class RequestId:
    """
    Which request of which batch.

    :param batch_id: The provider's id of the job.
    :param custom_id: As in :class:`SubmittedRow`.
    :param results_topic: What the submitter's ``results_topic`` was; may be empty.
    """

    batch_id: str
    custom_id: str
    results_topic: str


@dataclass(frozen=True)
class FailedRow(Generic[IN]):
    """
    An element that has no result, for good. A collector, which has no elements, puts a
    :class:`RequestId` in its place.

    :param value: The element.
    :param code: Why, in a word: the provider's error code, or one of those in docs/batch-api.md.
    :param message: The provider's text, or that of the codec's exception, at most 1,000
                    characters. It may quote the element.
    :param attempts: How often it was submitted; None if its response was refused.
    """

    value: IN
    code: str
    message: str
    attempts: Optional[int]


def request_or_refusal(
    codec: "RequestCodec[Any]", value: Any, puts_aside: bool
) -> Tuple[Optional[str], Optional[str]]:
    """
    The request of an element as JSON, or why there is none.

    :param puts_aside: Whether an element without a request is put aside; else the codec's exception
                       is raised.
    """
    try:
        return json.dumps(codec.request(value), allow_nan=False), None
    except Exception as e:
        if not puts_aside:
            raise
        return None, told(e)


def told(error: Exception) -> str:
    """What a failed row's message says of an exception of a codec's."""
    return f"{type(error).__name__}: {error}"[:_MOST_CHARACTERS]
