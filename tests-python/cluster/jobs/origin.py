"""Answers where the worker has this package from."""

from typing import List

from pyflink.common import Time, Types
from pyflink.datastream import StreamExecutionEnvironment
from pyflink_async_batch import AsyncBatchFunction, AsyncDataStream


class Origin(AsyncBatchFunction):
    async def async_invoke_batch(self, inputs: List[str]) -> List[str]:
        import pyflink_async_batch

        return [pyflink_async_batch.__file__ for _ in inputs]


def main() -> None:
    env = StreamExecutionEnvironment.get_execution_environment()
    questions = env.from_collection(["?"], type_info=Types.STRING())
    answers = AsyncDataStream.ordered_wait_batch(
        questions, Origin(), timeout=Time.seconds(30), batch_size=1, output_type=Types.STRING()
    )
    with answers.execute_and_collect() as results:
        print("origin:", *results)


if __name__ == "__main__":
    main()
