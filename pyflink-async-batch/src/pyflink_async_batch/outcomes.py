"""What a function says of rows, or of a whole batch, for which it has no result."""

from typing import Any, Dict, Mapping, NoReturn, Union

__all__ = ["BatchTooLarge", "ColumnResults", "RowFailure"]


class RowFailure:
    """
    Stands where the result of a row would stand, and says why the row has none.

    ::

        >>> async def async_invoke_batch(self, images):
        ...     return [
        ...         await self.classify(image) if is_readable(image) else RowFailure("unreadable")
        ...         for image in images
        ...     ]

    The other rows of the batch are emitted as always. What becomes of this one is said by
    ``on_failure`` of :class:`~pyflink_async_batch.AsyncDataStream`'s methods: by default the job
    fails. Immutable, and not to be subclassed.

    :param error: An exception, or a text. It is shown, shortened, in logs and dead letters: it
                  should not hold what must not be seen there.
    """

    __slots__ = ("_error",)

    def __init__(self, error: Union[BaseException, str]) -> None:
        if not isinstance(error, (BaseException, str)):
            raise TypeError(
                "error must be an exception or a str that says why there is no result, got an "
                f"object of type '{type(error).__name__}'."
            )
        self._error = error

    def __init_subclass__(cls) -> NoReturn:
        raise TypeError("RowFailure cannot be subclassed: subclass the exception that it holds.")

    @property
    def error(self) -> Union[BaseException, str]:
        """Why the row has no result."""
        return self._error

    def __repr__(self) -> str:
        return f"RowFailure({self._error!r})"


class ColumnResults:
    """
    The results of an :class:`~pyflink_async_batch.ArrowAsyncBatchFunction` some of whose rows have
    none: a column has no place for a :class:`RowFailure`.

    ::

        >>> async def async_invoke_batch(self, images):
        ...     scores, broken = await asyncio.to_thread(self.score, images)
        ...     return ColumnResults(scores, {row: "unreadable" for row in broken})

    :param values: What the function would return otherwise, with a row for **each** input. What it
                   holds for rows that failed is not looked at, and may be null.
    :param failures: Why rows have no result, by their index in ``values``: for each a
                     :class:`RowFailure`, or what one is made of.
    """

    __slots__ = ("_failures", "_values")

    def __init__(
        self, values: Any, failures: Mapping[int, Union[RowFailure, BaseException, str]]
    ) -> None:
        named: Dict[int, RowFailure] = {}
        for index, why in failures.items():
            # Also numpy's integers, as they come out of a search for bad rows.
            if isinstance(index, bool) or not hasattr(index, "__index__"):
                raise TypeError(
                    "failures must have indexes of rows as keys, got one of type "
                    f"'{type(index).__name__}'."
                )
            named[index.__index__()] = why if isinstance(why, RowFailure) else RowFailure(why)
        self._values = values
        self._failures = named

    @property
    def values(self) -> Any:
        """The results, with a row for each input."""
        return self._values

    @property
    def failures(self) -> Mapping[int, RowFailure]:
        """Why rows have no result, by their index."""
        return self._failures


class BatchTooLarge(Exception):  # noqa: N818 - it names what the batch is
    """
    To be raised by a function for a batch that is more than its model takes at once.

    The operator calls the function again for each half of the batch, and makes smaller batches from
    then on; larger ones are tried again after a while. Python's ``MemoryError``, torch's and cupy's
    ``OutOfMemoryError``, and gRPC's ``RESOURCE_EXHAUSTED`` unless the server says when to come
    back, count as this too, also as the ``__cause__`` of what is raised. A single row that is too
    large has failed.
    """
