"""Every piece of Python on a page builds the graph that it describes; whole programs are run."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.connectors.base import Sink
from pyflink.java_gateway import get_gateway

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
SNIPPETS = {
    f"{page.relative_to(ROOT)}::{number}": block
    for page in PAGES
    for number, block in enumerate(BLOCK.findall(page.read_text(encoding="utf-8")), 1)
    if not re.match(r"# \w+\.py\n", block)
}

# What a reader of the pages has at hand.
USUAL = """
import asyncio
from datetime import timedelta

from pyflink.common import Row, Time, Types
from pyflink.datastream.slot_sharing_group import SlotSharingGroup
from pyflink_async_batch import *
from pyflink_async_batch.tensors import tensor_batch

class Classify(AsyncBatchFunction):
    async def async_invoke_batch(self, inputs):
        return [0 for _ in inputs]

class Classifier(Classify):
    pass

class Complete(Classify):
    pass

class ReviewCodec(BatchCodec):
    def request(self, value):
        return {"text": value.text}

    def result(self, value, response):
        return Row(response["verdict"])

class ReviewRequests(RequestCodec):
    def request(self, value):
        return {"text": value.text}

class AnswerCodec(ResultCodec):
    def result(self, custom_id, response):
        return response["verdict"]

texts = env.from_collection(["a text"], Types.STRING())
prompts = texts
images = texts.map(str.encode, Types.PRIMITIVE_ARRAY(Types.BYTE()))
reviews = env.from_collection(
    [Row(1, "good")], Types.ROW_NAMED(["id", "text"], [Types.LONG(), Types.STRING()])
)
strings_of_topic = texts
topic_of_batches = discarding_sink()
endpoint = "https://api.openai.com/v1"
options = BatchInferenceOptions(endpoint)
"""

# On the page about tables. Statements are planned, and not run.
TABLES = """
from pyflink.table import DataTypes, StreamTableEnvironment
from pyflink_async_batch.table import batch_inference

t_env = StreamTableEnvironment.create(env)
documents = t_env.from_elements([(1, "a text")], ["id", "text"])
reviews = documents
t_env.create_temporary_view("reviews", reviews)
t_env.execute_sql(
    "CREATE TABLE judged (id BIGINT, text STRING, verdict STRING) WITH ('connector' = 'blackhole')"
)
t_env.execute_sql = t_env.explain_sql
"""

# And where a page means something else by a name.
HERE: dict[str, str] = {
    "README.md::4": """
images = env.from_collection(
    [Row(1, b"an image")],
    Types.ROW_NAMED(["id", "pixels"], [Types.LONG(), Types.PRIMITIVE_ARRAY(Types.BYTE())]),
)
""",
    "docs/sql.md::1": TABLES,
    "docs/sql.md::2": TABLES,
    "docs/sql.md::3": TABLES,
}


def test_there_are_snippets() -> None:
    assert len(SNIPPETS) > 10
    assert HERE.keys() <= SNIPPETS.keys()


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_a_snippet_builds_what_it_describes(
    snippet: str, environment: StreamExecutionEnvironment
) -> None:
    # Not the name of a module, so that its functions are pickled by value, as those of a script.
    names: dict[str, Any] = {
        "__name__": "snippet",
        "env": environment,
        "discarding_sink": _discarding_sink,
    }
    exec(compile(USUAL + HERE.get(snippet, ""), "what the reader has", "exec"), names)
    before = _transformations(environment)
    exec(compile(SNIPPETS[snippet], snippet, "exec"), names)
    if _applies_a_function(SNIPPETS[snippet]):
        assert _transformations(environment) > before


def _discarding_sink() -> Sink:
    jvm = get_gateway().jvm
    return Sink(jvm.org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink())


def _transformations(environment: StreamExecutionEnvironment) -> int:
    return int(environment._j_stream_execution_environment.getTransformations().size())


def _applies_a_function(snippet: str) -> bool:
    called = [
        node.func.attr
        for node in ast.walk(ast.parse(snippet))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    ]
    return any(re.search(r"wait_batch", name) for name in called)
