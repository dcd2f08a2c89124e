"""What users write to have elements go through a Batch API, and what they get where that fails."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Generic, Optional, TypeVar

from pyflink.datastream.functions import RuntimeContext

__all__ = ["BatchCodec", "FailedRow"]

IN = TypeVar("IN")
OUT = TypeVar("OUT")


class BatchCodec(ABC, Generic[IN, OUT]):
    """
    Turns elements into requests and responses into results.

    It is pickled with the job, and runs in PyFlink's Python workers, which call one copy's methods
    from one thread. :func:`request` and :func:`result` run in different copies.
    """

    def open(self, runtime_context: RuntimeContext) -> None:
        """Called once in each worker, before anything else. What it raises fails the job."""

    def close(self) -> None:
        """Called once in each worker, at its end."""

    @abstractmethod
    def request(self, value: IN) -> Any:
        """
        The request for an element: anything that ``json.dumps`` takes. With OpenAI's API the body
        of a call, such as ``{"model": ..., "messages": [...]}``.

        What it raises fails the job or, with ``on_failure="side_output"``, puts the element aside
        under the code ``request_refused``.
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
class FailedRow(Generic[IN]):
    """
    An element that has no result, for good.

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
