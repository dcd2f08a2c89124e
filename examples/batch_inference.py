"""Sends rows through a Batch API: half the price of single calls, where nobody waits for them.

By itself it needs no key: ``batch_api_stub.py`` is started beside the job, which repeats what it is
asked. With a provider's address and a key in ``ML_BATCH_API_KEY`` it asks for real, and waits for
as long as the provider takes::

    python examples/batch_inference.py --endpoint https://api.openai.com/v1 --model gpt-4o-mini
"""

import argparse
import collections
import contextlib
import pathlib
import subprocess
import sys
import tempfile
from datetime import timedelta
from typing import Any, Counter, Dict, Iterator

from pyflink.common import Row, Types
from pyflink.datastream import StreamExecutionEnvironment
from pyflink_async_batch import BatchCodec, BatchInference, BatchInferenceOptions

_HERE = pathlib.Path(__file__).resolve().parent
_STOP_SECONDS = 10.0

_REVIEW = Types.ROW_NAMED(["id", "text"], [Types.LONG(), Types.STRING()])
_JUDGED = Types.ROW_NAMED(["id", "text", "answer"], [Types.LONG(), Types.STRING(), Types.STRING()])


class AskAboutReview(BatchCodec[Row, Row]):
    """A review becomes a question, the first choice of a chat completion the answer."""

    def __init__(self, model: str) -> None:
        self._model = model

    def request(self, value: Row) -> Dict[str, Any]:
        question = f"Is this review positive or negative? One word. {value.text}"
        return {"model": self._model, "messages": [{"role": "user", "content": question}]}

    def result(self, value: Row, response: Dict[str, Any]) -> Row:
        return Row(value.id, value.text, response["choices"][0]["message"]["content"])


@contextlib.contextmanager
def stub() -> Iterator[str]:
    """A Batch API on this machine; gives its address."""
    with subprocess.Popen(
        [sys.executable, str(_HERE / "batch_api_stub.py"), "--seconds", "0.5"],
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()
            server.wait(_STOP_SECONDS)


def judge(endpoint: str, rows: int, batch_size: int, model: str, directory: str) -> Counter[str]:
    """Runs the job. Returns how many rows were answered, and how many failed with which code."""
    environment = StreamExecutionEnvironment.get_execution_environment()
    reviews = environment.from_collection(
        [Row(number, f"Review {number}: good") for number in range(rows)], _REVIEW
    )
    results = BatchInference.apply(
        reviews,
        AskAboutReview(model),
        BatchInferenceOptions(
            endpoint,
            batch_size=batch_size,
            fill_time=timedelta(seconds=2),
            poll_interval=timedelta(milliseconds=200 if "127.0.0.1" in endpoint else 30_000),
            max_wait=timedelta(hours=25),
            on_failure="side_output",
            local_dir=directory,
        ),
        output_type=_JUDGED,
    )
    failed = results.get_side_output(BatchInference.failed_rows())
    outcomes = results.map(lambda row: "answered", Types.STRING()).union(
        failed.map(lambda row: "failed: " + row.code, Types.STRING())
    )
    with outcomes.execute_and_collect() as collected:
        return collections.Counter(collected)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--endpoint", help="a provider's; by default the stub's")
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--batch-size", type=int, default=50)
    parser.add_argument("--model", default="some-model")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        endpoint = options.endpoint or stack.enter_context(stub())
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="batches-"))
        outcomes = judge(endpoint, options.rows, options.batch_size, options.model, directory)
    for outcome, count in sorted(outcomes.items()):
        print(f"{100 * count / options.rows:.1f}% {outcome}")


if __name__ == "__main__":
    main()
