"""
Writes docs/reference/options.md and errors.md from signatures, docstrings and Javadoc: ``make
reference``. A test holds the pages to what this writes, so that code is the one source.
"""

import inspect
import re
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple

import pyflink_async_batch as api
from pyflink_async_batch import errors, table

ROOT = Path(__file__).resolve().parents[2]
JAVA = (
    ROOT / "flink-python-async-batch-java" / "src" / "main" / "java" / "io" / "asyncbatch" / "flink"
)
PAGES = ROOT / "docs" / "reference"

_GENERATED = "Made from the code by `make reference`; a test holds this page to it.\n"
# What is no option, but what an option is about.
_SUBJECTS = {"self", "data_stream", "async_batch_function"}
_OPTION_CLASSES = (
    api.AdaptiveConcurrency,
    api.CircuitBreaker,
    api.RetryBudget,
    api.Hedging,
    api.WorkerRestart,
    api.GpuResources,
    api.ExponentialBackoffRetryStrategy,
    api.GpuSidecarAsyncBatchFunction,
    api.BatchInferenceOptions,
)
_JAVA_OPTION_CLASSES = (
    "AsyncBatchOptions",
    "Concurrency",
    "CircuitBreakerOptions",
    "RetryBudgetOptions",
    "HedgingOptions",
    "RowGrouping",
)
_COMMENT = r"/\*\*(?P<comment>(?:(?!\*/).)*)\*/\s*"


class _Entry(NamedTuple):
    name: str
    default: str
    text: str


def options_page() -> str:
    """The text of docs/reference/options.md."""
    parts = ["# All options\n", _GENERATED, "## Python\n"]
    plain = api.AsyncDataStream.unordered_wait_batch
    retried = _described(api.AsyncDataStream.unordered_wait_batch_with_retry, plain)
    parts += _section("`AsyncDataStream.*_wait_batch`, and `*_with_retry`", retried)
    parts += _section("`table.async_batch_udf`", _described(table.async_batch_udf, plain))
    for option_class in _OPTION_CLASSES:
        parts += _section("`%s`" % option_class.__name__, _described(option_class))
    parts.append("## Java\n")
    for name in _JAVA_OPTION_CLASSES:
        parts += _section("`%s`" % name, _built(JAVA / (name + ".java")))
    parts.append(
        "Options of SQL's models are in [SQL](../sql.md), those of Batch APIs as configuration in "
        "[Batch APIs](../batch-api.md), those of PyFlink that apply in [metrics]"
        "(../metrics.md#python-options). Tests hold each of these tables to the code.\n"
    )
    return "\n".join(parts)


def errors_page() -> str:
    """The text of docs/reference/errors.md."""
    parts = [
        "# All errors\n",
        _GENERATED,
        "What happens to rows, batches and the job then is in [failures](../failures.md).\n",
        "## Python, while a job is built\n",
        "Each is an `AsyncBatchError`, and names the option, the value and what is accepted.\n",
        *_table("error", {name: _first_paragraph(c) for name, c in _exceptions(errors).items()}),
        "## Python, for functions to raise\n",
        *_table(
            "error",
            {
                name: _first_paragraph(found)
                for name, found in _exceptions(api).items()
                if not issubclass(found, errors.AsyncBatchError)
            },
        ),
        "## Why a row has no result\n",
        "The `code` of a dead letter. The metrics `rowsFailedBy…` count them.\n",
        *_table("code", _constants(JAVA / "FailureKind.java")),
        "## Java, while a job runs\n",
        "In the trace of the job's failure, or in what a retry strategy's predicate is given.\n",
        *_table("exception", java_exceptions()),
    ]
    return "\n".join(parts)


def java_exceptions() -> Dict[str, str]:
    """The public exceptions with what their Javadoc says first."""
    found = {}
    for path in sorted(JAVA.rglob("*Exception.java"), key=lambda path: path.name):
        source = path.read_text(encoding="utf-8")
        if "@PublicEvolving" not in source:
            continue
        for match in re.finditer(
            _COMMENT + r"(?:@\w+\s+)*public (?:\w+ |non-sealed )*class (?P<name>\w+)", source, re.S
        ):
            name = match["name"]
            nested = name != path.stem
            found[path.stem + "." + name if nested else name] = _of_javadoc(match["comment"])
    return found


def _exceptions(module: Any) -> "Dict[str, type]":
    return {
        name: getattr(module, name)
        for name in sorted(module.__all__)
        if inspect.isclass(getattr(module, name)) and issubclass(getattr(module, name), Exception)
    }


def _described(described: Callable[..., Any], *referred: Callable[..., Any]) -> List[_Entry]:
    """
    The parameters of a function or a constructor, as signature and docstring have them.

    :param referred: where the docstring says that the others are described.
    """
    texts: Dict[str, str] = {}
    for place in (*referred, described):
        texts.update(parameters_of(inspect.getdoc(place) or ""))
    entries = []
    for parameter in inspect.signature(described).parameters.values():
        if parameter.name in _SUBJECTS:
            continue
        required = parameter.default is inspect.Parameter.empty
        default = "required" if required else _shown(parameter.default)
        entries.append(_Entry(parameter.name, default, texts[parameter.name]))
    return entries


def parameters_of(docstring: str) -> Dict[str, str]:
    """What a docstring says of each parameter, as Markdown."""
    fields = re.split(r"^:", docstring, flags=re.MULTILINE)[1:]
    found = {}
    for field in fields:
        match = re.match(r"param (\w+):(.*)", field, re.S)
        if match:
            found[match[1]] = _of_docstring(match[2])
    return found


def _shown(default: Any) -> str:
    if default is None or isinstance(default, (bool, int, float, str, tuple)):
        return "`%s`" % (repr(default),)
    if hasattr(default, "name"):
        return "`%s`" % default.name
    # A length of time, which its text gives in words.
    return "see text"


def _built(path: Path) -> List[_Entry]:
    """What a builder, or a class of factories, offers; each says its default itself."""
    source = path.read_text(encoding="utf-8")
    builder = source.find("class Builder")
    methods = re.finditer(
        _COMMENT + r"(?:@\w+(?:\([^)]*\))?\s+)*public (?:static )?"
        r"(?:<[^>]+> )?(?P<type>[\w<>, ]+) (?P<name>\w+)\((?P<taken>[^)]*)\)",
        source[max(builder, 0) :],
        re.S,
    )
    return [
        _Entry(
            "%s(%s)" % (method["name"], re.sub(r"\s+", " ", method["taken"]).strip()),
            "",
            _of_javadoc(method["comment"], whole=True),
        )
        for method in methods
        if method["taken"].strip() and not re.match(r"get[A-Z]", method["name"])
    ]


def _constants(path: Path) -> Dict[str, str]:
    source = path.read_text(encoding="utf-8").split("{", 1)[1]
    return {
        match["name"]: _of_javadoc(match["comment"])
        for match in re.finditer(_COMMENT + r"(?P<name>[A-Z_]+)\b", source, re.S)
    }


def _section(title: str, entries: List[_Entry]) -> List[str]:
    rows = ["| `%s` | %s | %s |" % (e.name, e.default, _cell(e.text)) for e in entries]
    if any(entry.default for entry in entries):
        head = ["| option | default | what it says |", "|---|---|---|"]
    else:
        head = ["| option | what it says |", "|---|---|"]
        rows = ["| `%s` | %s |" % (entry.name, _cell(entry.text)) for entry in entries]
    return ["### %s\n" % title, "\n".join([*head, *rows]) + "\n"]


def _table(title: str, texts: Dict[str, str]) -> List[str]:
    rows = ["| `%s` | %s |" % (name, _cell(text)) for name, text in texts.items()]
    return ["\n".join(["| %s | what it says |" % title, "|---|---|", *rows]) + "\n"]


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def _first_paragraph(found: type) -> str:
    return _of_docstring((inspect.getdoc(found) or "").split("\n\n")[0])


def _of_docstring(text: str) -> str:
    """Markdown of reStructuredText, as far as docstrings here use it."""
    text = re.sub(r":\w+:`~?(?:[\w.]+\.)?(\w+)`", r"`\1`", text)
    return re.sub(r"\s+", " ", text.replace("``", "`")).strip()


def _of_javadoc(comment: str, whole: bool = False) -> str:
    """Markdown of Javadoc: its first paragraph, or all of it with what ``@param`` says."""
    text = re.sub(r"^\s*\* ?", "", comment, flags=re.MULTILINE)
    text = re.sub(r"\{@code ([^}]*)\}", r"`\1`", text)
    text = re.sub(r"\{@link(?:plain)?\s+#?([\w.#]+)(?:\([^)]*\))?(?:\s+([^}]*))?\}", _link, text)
    description, *tags = re.split(r"^\s*@(?=\w)", text, flags=re.MULTILINE)
    if not whole:
        description = description.split("<p>")[0]
    parameters = [tag.split(None, 2) for tag in tags if tag.startswith("param ")]
    sentences = [description.replace("<p>", "")]
    if whole:
        sentences.append(
            "; ".join("`%s`: %s" % (name, says.strip()) for _, name, says in parameters)
        )
    text = re.sub(r"</?(?:ul|li|em|b|i)>", "", " ".join(sentences))
    return re.sub(r"\s+", " ", text).strip()


def _link(match: "re.Match[str]") -> str:
    return match[2] or "`%s`" % match[1].replace("#", ".")


def main() -> None:
    (PAGES / "options.md").write_text(options_page(), encoding="utf-8")
    (PAGES / "errors.md").write_text(errors_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
