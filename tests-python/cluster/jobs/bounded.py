"""Doubles a hundred numbers and prints their sum."""

from typing import List

from pyflink.common import Time, Types
from pyflink.datastream import StreamExecutionEnvironment
from pyflink_async_batch import AsyncBatchFunction, AsyncDataStream


class Double(AsyncBatchFunction):
    async def async_invoke_batch(self, inputs: List[int]) -> List[int]:
        return [2 * i for i in inputs]


def main() -> None:
    env = StreamExecutionEnvironment.get_execution_environment()
    numbers = env.from_collection(list(range(100)), type_info=Types.LONG())
    doubled = AsyncDataStream.unordered_wait_batch(
        numbers, Double(), timeout=Time.seconds(30), batch_size=32, output_type=Types.LONG()
    )
    with doubled.execute_and_collect() as results:
        print("sum:", sum(results))


if __name__ == "__main__":
    main()
