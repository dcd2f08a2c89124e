"""The pages of all options and errors are made from the code, and leave nothing out."""

import importlib
import inspect
import re
import sys
from pathlib import Path
from typing import Any

import pyflink_async_batch
import pytest
from pyflink_async_batch import AsyncDataStream, errors

ROOT = Path(__file__).resolve().parents[2]
JAVA = ROOT / "flink-python-async-batch-java" / "src" / "main" / "java" / "io" / "asyncbatch"

sys.path.insert(0, str(ROOT / "docs" / "site"))
reference_pages: Any = importlib.import_module("reference_pages")


def page(name: str) -> str:
    return (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")


def section(text: str, heading: str) -> str:
    return text.split("\n### %s\n" % heading)[1].split("\n##")[0]


@pytest.mark.parametrize(
    ("name", "made"),
    [("options.md", reference_pages.options_page), ("errors.md", reference_pages.errors_page)],
)
def test_the_page_is_what_the_code_says(name: str, made: Any) -> None:
    assert page(name) == made(), "run 'make reference'"


@pytest.mark.parametrize(
    "method",
    [
        AsyncDataStream.unordered_wait_batch,
        AsyncDataStream.ordered_wait_batch,
        AsyncDataStream.unordered_wait_batch_with_retry,
        AsyncDataStream.ordered_wait_batch_with_retry,
    ],
)
def test_every_option_of_a_stream_is_there(method: Any) -> None:
    rows = section(page("options.md"), "`AsyncDataStream.*_wait_batch`, and `*_with_retry`")
    named = re.findall(r"^\| `(\w+)` \|", rows, re.MULTILINE)
    options = set(inspect.signature(method).parameters) - {"data_stream", "async_batch_function"}
    assert options - {"async_retry_strategy"} == set(named) - {"async_retry_strategy"}
    assert len(named) == len(set(named))


def test_every_class_that_an_option_takes_is_there() -> None:
    named = set(re.findall(r"^### `(\w+)`$", page("options.md"), re.MULTILINE))
    configured = {
        name
        for name in pyflink_async_batch.__all__
        if inspect.isclass(getattr(pyflink_async_batch, name))
        and not issubclass(getattr(pyflink_async_batch, name), Exception)
        and re.search(r":param ", inspect.getdoc(getattr(pyflink_async_batch, name)) or "")
    }
    # Values that rows have, and codecs that users write, are no options.
    values = {
        "ColumnResults",
        "FailedRow",
        "RequestId",
        "RowFailure",
        "SubmittedRow",
        "TensorField",
    }
    assert configured - values <= named


def test_every_builder_method_of_java_is_there() -> None:
    source = (JAVA / "flink" / "AsyncBatchOptions.java").read_text(encoding="utf-8")
    methods = set(re.findall(r"public Builder (\w+)\(", source))
    assert len(methods) > 10
    named = re.findall(r"^\| `(\w+)\(", section(page("options.md"), "`AsyncBatchOptions`"), re.M)
    assert set(named) == methods


def test_every_error_is_there() -> None:
    named = set(re.findall(r"^\| `([\w.]+)` \|", page("errors.md"), re.MULTILINE))
    public = {
        name
        for name in pyflink_async_batch.__all__
        if inspect.isclass(getattr(pyflink_async_batch, name))
        and issubclass(getattr(pyflink_async_batch, name), Exception)
    }
    assert public | set(errors.__all__) <= named
    for path in JAVA.rglob("*.java"):
        source = path.read_text(encoding="utf-8")
        declared = re.findall(r"@PublicEvolving\s+public [\w ]*class (\w+Exception)\b", source)
        assert set(declared) <= named, path
    sidecar = (JAVA / "flink" / "sidecar" / "SidecarException.java").read_text(encoding="utf-8")
    kinds = re.findall(r"class (\w+) extends SidecarException", sidecar)
    assert len(kinds) == 8
    assert {"SidecarException." + kind for kind in kinds} <= named
    codes = (JAVA / "flink" / "FailureKind.java").read_text(encoding="utf-8")
    assert set(re.findall(r"^    ([A-Z_]+),?$", codes, re.MULTILINE)) <= named


def test_no_cell_is_empty() -> None:
    for name in ("options.md", "errors.md"):
        assert not re.search(r"\|[ ]*\|", page(name)), name
        # What is left of markup that was not understood.
        assert not re.search(r"\{@|:\w+:`|</?p>", page(name)), name
