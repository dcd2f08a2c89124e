"""What a model of SQL names, as the worker resolves it."""

import pickle
from pathlib import Path

import pytest
from pyflink_async_batch import ExponentialBackoffRetryStrategy, InvalidFunctionError
from pyflink_async_batch._table.by_name import load_function, retry_strategy

MODULE = """
from pyflink_async_batch import AsyncBatchFunction


class Echo(AsyncBatchFunction):
    async def async_invoke_batch(self, inputs):
        return inputs


class Holder:
    echo = Echo()


number = 7
"""

# What PickledCall writes, which PickledCallTest holds it to.
PICKLED_BY_JAVA = bytes.fromhex(
    "8002637079666c696e6b5f6173796e635f62617463682e5f7461626c652e62795f6e616d650a72657472795f7374"
    "7261746567790a284a030000004a0a0000004a020000004a6400000074522e"
)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """The name of a module that can be imported."""
    name = "named_by_%s" % request.node.name.split("[")[0]
    (tmp_path / ("%s.py" % name)).write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


def test_a_class_is_made_and_an_object_is_taken(module: str) -> None:
    made = load_function(module + ":Echo")
    taken = load_function(module + ":Holder.echo")
    assert type(made).__name__ == "Echo"
    assert taken is load_function(module + ":Holder.echo")


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("%s:Missing", "has no 'Missing'"),
        ("%s:Holder.missing", "'Holder' has no 'missing'"),
        ("%s:number", "is of class 'int'"),
        ("%s:Holder", "is of class 'type'"),
        ("no_such_module:Echo", "finds no module 'no_such_module'"),
        ("no_such_package.module:Echo", "finds no module 'no_such_package'"),
    ],
)
def test_what_is_not_there_or_no_function_is_refused(module: str, name: str, problem: str) -> None:
    with pytest.raises(InvalidFunctionError, match=problem):
        load_function(name % module if "%s" in name else name)


def test_a_module_that_lacks_something_itself_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "needs_another.py").write_text("import no_such_dependency\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModuleNotFoundError, match="no_such_dependency"):
        load_function("needs_another:Echo")


def test_what_java_pickles_is_a_call() -> None:
    strategy = pickle.loads(PICKLED_BY_JAVA)
    assert isinstance(strategy, ExponentialBackoffRetryStrategy)
    assert strategy.can_retry(3)
    assert not strategy.can_retry(4)
    assert [strategy.get_backoff_time_millis(n) for n in (1, 2, 3, 5)] == [10, 20, 40, 100]


def test_only_exceptions_of_calls_are_repeated() -> None:
    predicate = retry_strategy(1, 1, 1, 1).get_retry_predicate().exception_predicate()
    assert predicate(ValueError())
    assert not predicate(KeyboardInterrupt())
