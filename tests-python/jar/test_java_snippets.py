"""Every piece of Java on a page compiles against the wheel's jar."""

import re
import shutil
import subprocess
import urllib.parse
from pathlib import Path

import pyflink
import pytest
from jdk import jdk_tool
from pyflink_async_batch._graph.bundled_jar import bundled_jar_url

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```java\n(.*?)^```", re.DOTALL | re.MULTILINE)
SNIPPETS = {
    f"{page.relative_to(ROOT)}::{number}": block
    for page in PAGES
    for number, block in enumerate(BLOCK.findall(page.read_text(encoding="utf-8")), 1)
}

IMPORTS = "".join(
    f"import {name};\n"
    for name in [
        "io.asyncbatch.flink.*",
        "io.asyncbatch.flink.AsyncDataStream",
        "io.asyncbatch.flink.batchapi.*",
        "io.asyncbatch.flink.sidecar.*",
        "java.io.IOException",
        "java.time.Duration",
        "java.util.List",
        "org.apache.flink.api.common.eventtime.WatermarkStrategy",
        "org.apache.flink.api.common.typeinfo.*",
        "org.apache.flink.api.connector.sink2.Sink",
        "org.apache.flink.api.connector.source.Source",
        "org.apache.flink.streaming.api.datastream.*",
        "org.apache.flink.streaming.api.environment.StreamExecutionEnvironment",
        "org.apache.flink.types.Row",
    ]
)

# What a reader of the pages has at hand, as fields of the class that a snippet is compiled in.
USUAL = """
    static final class Image {}
    record Review(long id, String text) {}
    record Question(String text, float weight) {}
    record Answer(long number) {}
    abstract static class ReviewRequests implements RequestCodec<Review> {}
    abstract static class AnswerCodec implements ResultCodec<String> {}
    StreamExecutionEnvironment env;
    DataStream<Image> images;
    DataStream<Review> reviews;
    TensorCodec<Image, Float> codec;
    TypeInformation<Row> rowType;
"""

# And what a page means by a name of its own.
HERE = {
    "docs/rows.md::1": """
        record Prompt(String text, int tokens) {}
        abstract static class Complete implements AsyncBatchFunction<Prompt, String> {}
        DataStream<Prompt> prompts;
        AsyncBatchOptions options;
    """,
    "README.md::1": "abstract class Classify implements AsyncBatchFunction<Image, Float> {}",
    "docs/failures.md::1": """
        abstract class Classify implements AsyncBatchFunction<Image, String> {}
    """,
    "docs/batch-api.md::1": "abstract class ReviewCodec implements BatchCodec<Review, Review> {}",
    "docs/batch-api.md::2": """
        BatchInferenceOptions options;
        Sink<SubmittedBatch> topic;
        Source<SubmittedBatch, ?, ?> topicSource;
        Sink<SubmittedRow<Review>> rowsById;
        Sink<FailedRow<RequestId>> failedTopic;
    """,
}


def test_the_pages_java_compiles(tmp_path: Path) -> None:
    javac = _javac()
    if javac is None:
        pytest.skip("needs a JDK")
    assert HERE.keys() <= SNIPPETS.keys()
    sources = []
    for number, (snippet, code) in enumerate(SNIPPETS.items()):
        source = tmp_path / f"Snippet{number}.java"
        source.write_text(_class(f"Snippet{number}", code, HERE.get(snippet, ""), snippet))
        sources.append(source)
    jar = urllib.parse.unquote(urllib.parse.urlparse(bundled_jar_url()).path)
    flink = f"{Path(pyflink.__file__).parent}/lib/*"
    compiled = subprocess.run(
        [javac, "-proc:none", "-cp", f"{jar}:{flink}", "-d", tmp_path / "classes", *sources],
        capture_output=True,
        text=True,
    )
    assert compiled.returncode == 0, compiled.stderr


def _class(name: str, code: str, here: str, snippet: str) -> str:
    # The pages leave methods out; so do these, and make what cannot be made an expression of null.
    code = re.sub(r"new (Classify|Complete|Review\w+|AnswerCodec)\(\)", r"(\1) null", code)
    if re.match(r"(//.*\n)*(public |final )*class ", code):
        body = "static " + code
    elif code.rstrip().endswith((";", "}")) or "\n//" in code or ";" in code.splitlines()[-1]:
        body = f"void snippet() throws Exception {{\n{code}}}"
    else:
        body = f"Object snippet = {code};"
    return f"// {snippet}\n{IMPORTS}\nabstract class {name} {{\n{USUAL}\n{here}\n{body}\n}}\n"


def _javac() -> "str | None":
    return shutil.which(jdk_tool("javac"))
