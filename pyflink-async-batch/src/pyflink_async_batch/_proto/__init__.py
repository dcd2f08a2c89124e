"""Protocol messages, generated from ``async_batch.proto`` when the wheel is built."""
