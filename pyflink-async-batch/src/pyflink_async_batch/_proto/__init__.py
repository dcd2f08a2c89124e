"""Protocol messages, generated from ``proto/src/main/proto/async_batch.proto`` when the wheel is built."""
