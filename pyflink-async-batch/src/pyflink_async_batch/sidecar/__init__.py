"""
A model server for batched functions: ``python -m pyflink_async_batch.sidecar`` hosts an
:class:`~pyflink_async_batch.AsyncBatchFunction` and speaks the Open Inference Protocol over gRPC.
``docs/own-sidecar.md`` tells how it is run; a class that is hosted declares its tensors with
:class:`TensorSpec`.
"""

from pyflink_async_batch.sidecar._tensor_spec import TensorSpec

__all__ = ["TensorSpec"]
