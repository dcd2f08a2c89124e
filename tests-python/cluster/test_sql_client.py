"""Statements of SQL as users submit them: through the SQL client and its gateway, on a cluster."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from pyflink_async_batch._graph.bundled_jar import bundled_jar_url
from session_cluster import FLINK_HOME, SessionCluster

pytestmark = pytest.mark.timeout(400)

# What `make test` fetches.
GATEWAY_JAR = (
    Path(__file__).resolve().parents[2] / "target" / "flink-jars" / "flink-sql-gateway.jar"
)

MODULE = """
from pyflink.common import Row
from pyflink_async_batch import AsyncBatchFunction


class Length(AsyncBatchFunction):
    async def async_invoke_batch(self, inputs):
        return [Row(len(row.text)) for row in inputs]
"""

SCRIPT = """
SET 'sql-client.execution.result-mode' = 'tableau';
SET 'execution.runtime-mode' = '{mode}';
SET 'python.executable' = '{python}';
SET 'python.files' = '{module}';
CREATE TEMPORARY VIEW texts AS SELECT * FROM (VALUES ('a'), ('bb'), ('ccc')) AS t(text);
CREATE MODEL lengths INPUT (text STRING) OUTPUT (length INT) WITH (
  'provider' = 'async-batch', 'backend' = 'python', 'python.function' = 'lengths:Length',
  'batch-size' = '2');
SELECT text, length FROM ML_PREDICT(TABLE texts, MODEL lengths, DESCRIPTOR(text));
"""


@pytest.mark.parametrize("mode", ["streaming", "batch"])
def test_a_script_of_the_sql_client_runs(
    cluster: SessionCluster, lib: Path, tmp_path: Path, mode: str
) -> None:
    output = _sql_client(cluster, lib, tmp_path, SCRIPT, mode)
    rows = re.findall(r"\| +(\w+) \| +(\d+) \|", output)
    assert sorted(rows) == [("a", "1"), ("bb", "2"), ("ccc", "3")], output


def test_a_wrong_option_is_told_by_the_client(
    cluster: SessionCluster, lib: Path, tmp_path: Path
) -> None:
    script = SCRIPT.replace("'batch-size' = '2'", "'batch-size' = '20'")
    output = _sql_client(cluster, lib, tmp_path, script, "streaming")
    assert "'batch-size' is 20, and ML_PREDICT never has more than" in output


@pytest.fixture(scope="module")
def lib(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Flink's jars, and that of its gateway beside them, which pip's Flink comes without."""
    directory = tmp_path_factory.mktemp("lib")
    for jar in [*(FLINK_HOME / "lib").glob("*.jar"), GATEWAY_JAR]:
        (directory / jar.name).symlink_to(jar)
    return directory


def _sql_client(cluster: SessionCluster, lib: Path, directory: Path, script: str, mode: str) -> str:
    module = directory / "lengths.py"
    module.write_text(MODULE)
    file = directory / "script.sql"
    file.write_text(script.format(mode=mode, python=sys.executable, module=module))
    (python_jar,) = (FLINK_HOME / "opt").glob("flink-python-*.jar")
    done = subprocess.run(
        [
            str(FLINK_HOME / "bin" / "sql-client.sh"),
            "-j",
            bundled_jar_url().replace("file://", ""),
            "-j",
            str(python_jar),
            "-f",
            str(file),
        ],
        env={**cluster.environment, "FLINK_LIB_DIR": str(lib)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=180,
        check=False,
    )
    return done.stdout.decode("utf-8", "replace")
