"""What a function on columns is given for some elements, and what its results become."""

from typing import Any, List

import pyarrow as pa
from codec_calls import decode
from codec_types import schema_of
from pyflink.common.typeinfo import TypeInformation
from pyflink_async_batch._worker.batch_decoder import BatchDecoder
from pyflink_async_batch._worker.column_view import ColumnView
from pyflink_async_batch._worker.result_encoder import ResultEncoder

METHOD = "Function.async_invoke_batch"


def view_of(type_info: TypeInformation) -> ColumnView:
    """The view of a function whose inputs and results are of the same type."""
    schema = schema_of(type_info)
    return ColumnView(schema, schema.serialize().to_pybytes())


def body_of(type_info: TypeInformation, elements: List[Any]) -> bytes:
    """The elements as the row path encodes them."""
    return ResultEncoder(schema_of(type_info)).encode(elements).serialize().to_pybytes()


def shown(type_info: TypeInformation, elements: List[Any]) -> Any:
    """The columns that the function is given."""
    body = body_of(type_info, elements)
    batch = BatchDecoder(schema_of(type_info)).read(body, len(elements))
    return view_of(type_info).inputs(batch)


def encoded(type_info: TypeInformation, results: Any) -> pa.RecordBatch:
    """The batch that the function's results become."""
    view = view_of(type_info)
    count = len(results)
    return view.encode(view.check(results, METHOD, count))


def elements_of(type_info: TypeInformation, results: Any) -> List[Any]:
    """The function's results as elements, as the row path decodes them."""
    batch = encoded(type_info, results)
    batch.validate(full=True)
    return decode(schema_of(type_info), batch.serialize(), len(results))
