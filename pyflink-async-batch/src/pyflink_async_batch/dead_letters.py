"""The side output of rows that have no result."""

from typing import Any

from pyflink.common import TypeInformation, Types
from pyflink.datastream import OutputTag

from pyflink_async_batch.errors import InvalidOptionTypeError

__all__ = ["dead_letters_tag"]

# As io.asyncbatch.flink.DeadLetters has them.
_TAG_ID = "async-batch-dead-letters"
_FIELDS = ("input", "error_kind", "error_class", "message", "attempts", "failed_at")


def dead_letters_tag(input_type: Any) -> OutputTag:
    """
    The tag of the side output that rows without a result leave through, with
    ``on_failure="dead_letter"``.

    ::

        >>> results = AsyncDataStream.unordered_wait_batch(
        ...     ds, Classify(), timeout=Time.seconds(30), batch_size=32,
        ...     output_type=Types.FLOAT(), on_failure="dead_letter")
        >>> failed = results.get_side_output(dead_letters_tag(ds.get_type()))

    A dead letter is a ``Row`` with the timestamp of its input and these fields:

    - ``input``: the input, as the function was given it;
    - ``error_kind``: one of ``EXCEPTION``, ``ROW_FAILURE``, ``INVALID_RESULT``, ``TIMEOUT``,
      ``TOO_LARGE``, ``WORKER_LOST`` and ``CIRCUIT_OPEN``, as ``docs/failures.md`` explains them;
    - ``error_class``: the name of the exception's class, such as ``ValueError``;
    - ``message``: what the exception said, shortened to 8,192 characters;
    - ``attempts``: how many calls the row was part of, from 1; 0 if ``CIRCUIT_OPEN`` came first;
    - ``failed_at``: a ``pyflink.common.Instant``, when it was given up. Where
      ``python.execution-mode`` is 'thread', PyFlink shows its own functions a ``java.time.Instant``
      instead, whose ``toEpochMilli()`` they can call.

    :param input_type: The type of the stream that the function is applied to: ``ds.get_type()``.
    :raises InvalidOptionTypeError: It is no ``pyflink.common.TypeInformation``.
    """
    if not isinstance(input_type, TypeInformation):
        raise InvalidOptionTypeError(
            "input_type", input_type, "a pyflink.common.TypeInformation: ds.get_type()"
        )
    return OutputTag(
        _TAG_ID,
        Types.ROW_NAMED(
            list(_FIELDS),
            [
                input_type,
                Types.STRING(),
                Types.STRING(),
                Types.STRING(),
                Types.INT(),
                Types.INSTANT(),
            ],
        ),
    )
