"""The same texts through Flink's own provider 'openai' and through ours, from the same server."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest
from pyflink.table import StreamTableEnvironment

ROOT = Path(__file__).resolve().parents[2]
# What `make test` fetches.
OPENAI_JAR = ROOT / "target" / "flink-jars" / "flink-model-openai.jar"
SPEC = importlib.util.spec_from_file_location(
    "embeddings_stub", ROOT / "examples" / "embeddings_stub.py"
)
assert SPEC is not None
assert SPEC.loader is not None
stub_module = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(stub_module)

ROWS = 40


@pytest.fixture
def stub() -> Iterator[Any]:
    with stub_module.EmbeddingsStub() as server:
        yield server


def test_both_providers_give_the_same_rows(
    tables: StreamTableEnvironment, ship: Callable[[str, str], None], stub: Any
) -> None:
    tables.execute_sql("ADD JAR '%s'" % OPENAI_JAR)
    tables.add_python_file(str(ROOT / "examples" / "openai_embeddings.py"))
    ship(
        "embeddings_here",
        "from openai_embeddings import Embeddings\n"
        "embeddings = Embeddings('%s', api_key='none')\n" % stub.base_url,
    )
    rows = ", ".join("(%d, 'text %d é')" % (number, number * 37) for number in range(ROWS))
    tables.execute_sql(
        "CREATE TEMPORARY VIEW texts AS SELECT * FROM (VALUES %s) t(id, text)" % rows
    )
    tables.execute_sql(
        "CREATE MODEL theirs INPUT (text STRING) OUTPUT (embedding ARRAY<FLOAT>) WITH "
        "('provider' = 'openai', 'endpoint' = '%s/embeddings', 'api-key' = 'none', 'model' = 'any')"
        % stub.base_url
    )
    tables.execute_sql(
        "CREATE MODEL ours INPUT (text STRING) OUTPUT (embedding ARRAY<FLOAT>) WITH "
        "('provider' = 'async-batch', 'backend' = 'python', 'batch-size' = '8', "
        "'python.function' = 'embeddings_here:embeddings')"
    )

    theirs = _embedded(tables, "theirs")
    requests_of_theirs = stub.requests
    ours = _embedded(tables, "ours")

    assert len(theirs) == ROWS
    assert ours == theirs
    assert theirs[3][1] == stub_module.embedding("text %d é" % (3 * 37))
    assert requests_of_theirs == ROWS
    assert stub.requests - requests_of_theirs <= ROWS // 4
    assert stub.texts == 2 * ROWS


def _embedded(tables: StreamTableEnvironment, model: str) -> list[Any]:
    statement = (
        "SELECT id, embedding FROM ML_PREDICT(TABLE texts, MODEL %s, DESCRIPTOR(text), "
        "MAP['max-concurrent-operations', '32'])" % model
    )
    with tables.execute_sql(statement).collect() as results:
        return [tuple(row) for row in results]
