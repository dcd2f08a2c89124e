"""ML_PREDICT in SQL: our provider, which batches, beside Flink's own provider 'openai'.

Both ask the same server for embeddings of the same texts: ``examples/embeddings_stub.py`` in a
process of its own, whose every answer takes 20 ms, whatever the request holds, as with a GPU that
is not full. Flink's provider sends a request a row; ours, whose backend is a Python function with
OpenAI's client, a request for up to 32 rows. Parallelism 1, both with
``table.exec.async-ml-predict.max-concurrent-operations`` at Flink's default of 10, where a batch of
ours has 10 rows and one is in flight, and at 256. The rows come from a Java source and go to a Java
sink that drops them; rates are of the same window after the first row.
"""

import pathlib
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from typing import Iterator, Sequence

from contest import Medians, NotAvailableError, Result, run_benchmark
from local_job import LocalJob, discarding_sink
from pyflink.table import StreamTableEnvironment

_HERE = pathlib.Path(__file__).resolve().parent
_EXAMPLES = _HERE.parent / "examples"
_OPENAI_JAR = _HERE.parent / "target" / "flink-jars" / "flink-model-openai.jar"
_DELAY_SECONDS = 0.02


@contextmanager
def _stub() -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, str(_EXAMPLES / "embeddings_stub.py"), "--delay", str(_DELAY_SECONDS)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1]
    finally:
        process.kill()
        process.wait()


def _rate(concurrent: int, model: str) -> float:
    """:param model: the options of the model; ``%s`` is the server's address."""
    from pyflink_async_batch.table import use_async_batch_models

    with _stub() as base_url, tempfile.TemporaryDirectory() as directory:
        module = pathlib.Path(directory) / "embeddings_here.py"
        module.write_text(
            "from openai_embeddings import Embeddings\n"
            f"embeddings = Embeddings({base_url!r}, api_key='none')\n"
        )
        options = {
            "table.exec.async-ml-predict.max-concurrent-operations": str(concurrent),
            "python.files": f"{_EXAMPLES / 'openai_embeddings.py'},{module}",
        }
        job = LocalJob(options)
        tables = StreamTableEnvironment.create(job.environment)
        for name, value in options.items():
            tables.get_config().set(name, value)
        use_async_batch_models(tables)
        if "openai'" in model:
            tables.execute_sql(f"ADD JAR '{_OPENAI_JAR}'")
        tables.create_temporary_view("numbers", job.numbers())
        tables.execute_sql(
            "CREATE TEMPORARY VIEW texts AS "
            "SELECT 'text ' || CAST(f0 AS STRING) AS text FROM numbers"
        )
        tables.execute_sql(
            "CREATE MODEL m INPUT (text STRING) OUTPUT (embedding ARRAY<FLOAT>) WITH (%s)"
            % model.replace("%s", base_url)
        )
        embedded = tables.sql_query(
            "SELECT embedding FROM ML_PREDICT(TABLE texts, MODEL m, DESCRIPTOR(text))"
        )
        tables.to_data_stream(embedded).sink_to(discarding_sink())
        return job.start("ml_predict").rate()


def _ours(concurrent: int, batch_size: int) -> float:
    return _rate(
        concurrent,
        "'provider' = 'async-batch', 'backend' = 'python', "
        f"'python.function' = 'embeddings_here:embeddings', 'batch-size' = '{batch_size}'",
    )


def _flinks(concurrent: int) -> float:
    if not _OPENAI_JAR.exists():
        raise NotAvailableError(f"{_OPENAI_JAR.name} is missing, see make bench")
    return _rate(
        concurrent,
        "'provider' = 'openai', 'endpoint' = '%s/embeddings', 'api-key' = 'none', 'model' = 'any'",
    )


def batched() -> float:
    return _ours(256, 32)


def batched_by_default() -> float:
    return _ours(10, 10)


def openai() -> float:
    return _flinks(256)


def openai_by_default() -> float:
    return _flinks(10)


def judge(rate: Medians) -> Sequence[Result]:
    contests = [
        ("ml_predict_vs_openai", "batched", "openai", 5.0),
        ("ml_predict_vs_openai_default", "batched, 10 rows", "openai, 10 rows", 0.9),
    ]
    return [
        Result(
            name,
            rate[ours] / rate[peer],
            "times Flink's provider 'openai', rows/s at 20 ms a call",
            "at least",
            target,
            {ours: rate[ours], peer: rate[peer]},
        )
        for name, ours, peer, target in contests
        if ours in rate and peer in rate
    ]


if __name__ == "__main__":
    run_benchmark(
        {
            "batched": batched,
            "openai": openai,
            "batched, 10 rows": batched_by_default,
            "openai, 10 rows": openai_by_default,
        },
        judge,
    )
