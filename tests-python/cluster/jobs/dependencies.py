"""Answers with what came by ``-pyfs``, ``-pyarch`` and ``-pyreq``."""

from typing import List

from pyflink.common import Time, Types
from pyflink.datastream import StreamExecutionEnvironment
from pyflink_async_batch import AsyncBatchFunction, AsyncDataStream


class Shipped(AsyncBatchFunction):
    def open(self, runtime_context: object) -> None:
        import shipped_module
        import shipped_requirement

        with open("shipped_archive/model.txt") as model:
            self._answer = "%s %s %s" % (
                shipped_module.NAME,
                shipped_requirement.NAME,
                model.read().strip(),
            )

    async def async_invoke_batch(self, inputs: List[str]) -> List[str]:
        return [self._answer for _ in inputs]


def main() -> None:
    env = StreamExecutionEnvironment.get_execution_environment()
    questions = env.from_collection(["?"], type_info=Types.STRING())
    answers = AsyncDataStream.ordered_wait_batch(
        questions, Shipped(), timeout=Time.seconds(30), batch_size=1, output_type=Types.STRING()
    )
    with answers.execute_and_collect() as results:
        print("answer:", *results)


if __name__ == "__main__":
    main()
