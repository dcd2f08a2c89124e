"""The limit algorithm that CONTRIBUTING adds is one: it compiles in its package, and adapts."""

import re
import shutil
import subprocess
import urllib.parse
from pathlib import Path

import pyflink
import pytest
from pyflink_async_batch._graph.bundled_jar import bundled_jar_url

CONTRIBUTING = Path(__file__).resolve().parents[2] / "CONTRIBUTING.md"
PACKAGE = "package io.asyncbatch.flink.limit;\n"
CALLS = """
public final class Calls {
    public static void main(String[] arguments) {
        ConcurrencyLimit limit = new StepLimit(new LimitBounds(2, 12, 10));
        for (String result : arguments) {
            CallResult ended = CallResult.valueOf(result);
            limit.onCallEnded(new EndedCall(ended, 0, 1, 1, 1, limit.limit()));
            System.out.print(limit.limit() + " ");
        }
    }
}
"""


def test_the_documented_limit_adapts_within_its_bounds(tmp_path: Path) -> None:
    if shutil.which("javac") is None:
        pytest.skip("needs a JDK")
    (algorithm,) = re.findall(
        r"^```java\n(.*?)^```", CONTRIBUTING.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    (tmp_path / "StepLimit.java").write_text(PACKAGE + algorithm, encoding="utf-8")
    (tmp_path / "Calls.java").write_text(PACKAGE + CALLS, encoding="utf-8")
    jar = urllib.parse.unquote(urllib.parse.urlparse(bundled_jar_url()).path)
    path = f"{tmp_path}:{jar}:{Path(pyflink.__file__).parent}/lib/*"
    run("javac", "-proc:none", "-cp", path, "-d", str(tmp_path), *map(str, tmp_path.glob("*.java")))
    results = ["DROPPED", "SUCCESS", "IGNORED", "DROPPED", "DROPPED", *["SUCCESS"] * 12]
    shown = run("java", "-cp", path, "io.asyncbatch.flink.limit.Calls", *results)
    assert [int(number) for number in shown.split()][:5] == [5, 6, 6, 3, 2]
    assert shown.split()[-2:] == ["12", "12"]


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout
