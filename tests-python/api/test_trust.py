"""What must not be in the sources, wherever a later change puts it."""

import ast
from importlib import resources
from pathlib import Path

import pytest

PACKAGE = Path(str(resources.files("pyflink_async_batch")))
# Each of these reads what a client pickled for its own job.
UNPICKLING = {
    # Elements of a pickled type, as PyFlink's own.
    "_worker/scalar_types.py",
    "_graph/batch_functions.py",
    # The function and its retry strategy.
    "_worker/function_worker.py",
    "_worker/retry_policy.py",
}
DANGEROUS_MODULES = {"marshal", "shelve", "dill", "jsonpickle", "joblib"}
DANGEROUS_CALLS = {"eval", "exec", "compile", "__import__"}
SOURCES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))


def tree(source: str) -> ast.Module:
    return ast.parse((PACKAGE / source).read_text(encoding="utf-8"))


def unpickles(module: ast.Module) -> bool:
    """Whether it may turn bytes into objects of any class, by whatever name."""
    for node in ast.walk(module):
        if isinstance(node, ast.ImportFrom) and node.module in ("pickle", "cloudpickle"):
            return True
        if (
            isinstance(node, ast.Attribute)
            and node.attr in ("load", "loads", "Unpickler")
            and isinstance(node.value, ast.Name)
            and "pickle" in node.value.id
        ):
            return True
    return False


def test_only_what_belongs_to_a_job_is_unpickled() -> None:
    assert len(SOURCES) > 100
    assert {source for source in SOURCES if unpickles(tree(source))} == UNPICKLING


@pytest.mark.parametrize(
    "code",
    [
        "import pickle\npickle.loads(b'')",
        "import cloudpickle\ncloudpickle.load(None)",
        "from pickle import loads",
        "import pickle as my_pickle\nmy_pickle.Unpickler",
    ],
)
def test_unpickling_is_seen(code: str) -> None:
    assert unpickles(ast.parse(code))


def test_nothing_evaluates_code_or_reads_formats_that_may() -> None:
    for source in SOURCES:
        for node in ast.walk(tree(source)):
            if isinstance(node, ast.Import):
                names = {alias.name.split(".")[0] for alias in node.names}
                assert not names & DANGEROUS_MODULES, source
            if isinstance(node, ast.ImportFrom) and node.module:
                assert node.module.split(".")[0] not in DANGEROUS_MODULES, source
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in DANGEROUS_CALLS, source
