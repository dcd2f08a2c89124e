"""What is said of elements before the operator: a function of PyFlink's own weighs them and takes
their keys, where elements are Python objects. Both travel beside the element."""

from typing import Any, Optional

from pyflink.common import Row, TypeInformation, Types
from pyflink.datastream import DataStream
from pyflink.datastream.functions import MapFunction

from pyflink_async_batch._graph.function_payload import require_picklable
from pyflink_async_batch.errors import qualified_name
from pyflink_async_batch.grouping_options import CoalesceKey, Weigh
from pyflink_async_batch.option_checks import MAX_JAVA_LONG
from pyflink_async_batch.options import AsyncBatchOptions


def with_weights_and_keys(data_stream: DataStream, options: AsyncBatchOptions) -> DataStream:
    """
    :return: A stream of rows of a weight, a key and an element, as Java's ``GroupedRows`` reads
             them.
    :raises InvalidOptionTypeError: A function of the user's cannot be pickled.
    """
    require_picklable("weigh", options.grouping.weigh)
    require_picklable("coalesce_key", options.grouping.coalesce_key)
    element_type = data_stream.get_type()
    parallelism = data_stream._j_data_stream.getParallelism()
    weights_and_keys = data_stream.map(
        _WeightAndKey(options.grouping.weigh, options.grouping.coalesce_key),
        output_type=_row_type(element_type),
    ).name(f"{options.name}: weights and keys")
    if parallelism > 0:
        # Not the environment's: rows that are in order would come apart on the way.
        weights_and_keys.set_parallelism(parallelism)
    return weights_and_keys


def _row_type(element_type: TypeInformation) -> TypeInformation:
    return Types.ROW_NAMED(
        ["weight", "key", "element"],
        [Types.LONG(), Types.PRIMITIVE_ARRAY(Types.BYTE()), element_type],
    )


class _WeightAndKey(MapFunction):  # type: ignore[misc]
    def __init__(
        self,
        weigh: Weigh,
        coalesce_key: CoalesceKey,
    ) -> None:
        self._weigh = weigh
        self._coalesce_key = coalesce_key

    def map(self, value: Any) -> Row:
        weight = 0 if self._weigh is None else _weight(self._weigh(value), value)
        key = None if self._coalesce_key is None else _key(self._coalesce_key(value), value)
        return Row(weight=weight, key=key, element=value)


def _weight(weight: Any, value: Any) -> int:
    if not isinstance(weight, int) or isinstance(weight, bool):
        raise TypeError(
            f"weigh must return an int, got '{qualified_name(type(weight))}' "
            f"for an element of type '{qualified_name(type(value))}'."
        )
    if not 0 <= weight <= MAX_JAVA_LONG:
        raise ValueError(
            f"weigh must return an int from 0 to {MAX_JAVA_LONG}, got {weight} "
            f"for an element of type '{qualified_name(type(value))}'."
        )
    return weight


def _key(key: Any, value: Any) -> Optional[bytes]:
    """One type of column for all keys; those of different types are never equal."""
    if key is None:
        return None
    if isinstance(key, str):
        return b"s" + key.encode("utf-8", "surrogatepass")
    if isinstance(key, bytes):
        return b"b" + key
    if isinstance(key, int) and not isinstance(key, bool):
        return b"i%d" % key
    raise TypeError(
        f"coalesce_key must return None, a str, bytes or an int, got "
        f"'{qualified_name(type(key))}' for an element of type '{qualified_name(type(value))}'."
    )
