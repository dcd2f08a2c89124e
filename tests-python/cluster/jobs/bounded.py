"""Doubles a hundred numbers and prints their sum. Arguments are options: ``key=value``."""

import sys
from typing import List

from pyflink.common import Configuration, Time, Types
from pyflink.datastream import StreamExecutionEnvironment
from pyflink_async_batch import AsyncBatchFunction, AsyncDataStream


class Double(AsyncBatchFunction):
    async def async_invoke_batch(self, inputs: List[int]) -> List[int]:
        return [2 * i for i in inputs]


def main() -> None:
    configuration = Configuration()
    for option in sys.argv[1:]:
        configuration.set_string(*option.split("=", 1))
    env = StreamExecutionEnvironment.get_execution_environment(configuration)
    numbers = env.from_collection(list(range(100)), type_info=Types.LONG())
    doubled = AsyncDataStream.unordered_wait_batch(
        numbers, Double(), timeout=Time.seconds(30), batch_size=32, output_type=Types.LONG()
    )
    with doubled.execute_and_collect() as results:
        print("sum:", sum(results))


if __name__ == "__main__":
    main()
