"""Doubles a hundred numbers and prints their sum.

Arguments are ``key=value``: Flink's options, and ``worker`` for the function's.
"""

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
    options = dict(argument.split("=", 1) for argument in sys.argv[1:])
    worker = options.pop("worker", "own")
    for key, value in options.items():
        configuration.set_string(key, value)
    env = StreamExecutionEnvironment.get_execution_environment(configuration)
    numbers = env.from_collection(list(range(100)), type_info=Types.LONG())
    doubled = AsyncDataStream.unordered_wait_batch(
        numbers,
        Double(),
        timeout=Time.seconds(30),
        batch_size=32,
        output_type=Types.LONG(),
        worker=worker,
    )
    with doubled.execute_and_collect() as results:
        print("sum:", sum(results))


if __name__ == "__main__":
    main()
