"""What users may rely on is a list that is committed: a change of it is a change of the API."""

import importlib
import inspect
import os
from pathlib import Path
from typing import Any

import pyflink_async_batch

LIST = Path(__file__).with_name("public_names.txt")
MODULES = [
    "pyflink_async_batch",
    "pyflink_async_batch.table",
    "pyflink_async_batch.tensors",
]
UPDATE = "ASYNC_BATCH_UPDATE_PUBLIC_NAMES"


def described() -> list[str]:
    """A line for every public name: with its signature where it can be called, as all arguments'
    names, order and defaults are relied on too."""
    lines = []
    for module_name in MODULES:
        module = importlib.import_module(module_name)
        for name in sorted(module.__all__):
            lines += _lines("%s.%s" % (module_name, name), getattr(module, name))
    return lines


def _lines(name: str, value: Any) -> list[str]:
    if not inspect.isclass(value):
        return [name + (_parameters(value) if callable(value) else "")]
    bases = [base.__name__ for base in value.__mro__[1:] if _is_ours(base)]
    lines = ["%s(%s)" % (name, ", ".join(bases)) if bases else name]
    for member in sorted(vars(value)):
        found = inspect.getattr_static(value, member)
        function = found.__func__ if isinstance(found, (staticmethod, classmethod)) else found
        public = not member.startswith("_") or member == "__init__"
        if public and inspect.isfunction(function):
            lines.append("%s.%s%s" % (name, member, _parameters(function)))
        elif public and not member.startswith("_"):
            lines.append("%s.%s" % (name, member))
    return lines


def _is_ours(base: type) -> bool:
    return base.__module__.startswith("pyflink_async_batch")


def _parameters(function: Any) -> str:
    """Names, kinds and defaults; no annotations, which each Python version writes in its way."""
    parts = []
    keyword_only = False
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not keyword_only:
            keyword_only = True
            parts.append("*")
        stars = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}
        keyword_only = keyword_only or parameter.kind is parameter.VAR_POSITIONAL
        text = stars.get(parameter.kind, "") + parameter.name
        if parameter.default is not parameter.empty:
            text += "=" + _default(parameter.default)
        parts.append(text)
    return "(%s)" % ", ".join(parts)


def _default(value: Any) -> str:
    plain = value is None or isinstance(value, (bool, int, float, str, tuple))
    return repr(value) if plain else "..."


def test_the_public_names_are_the_committed_ones() -> None:
    found = described()
    if os.environ.get(UPDATE):
        LIST.write_text("\n".join(found) + "\n", encoding="utf-8")
    assert found == LIST.read_text(encoding="utf-8").splitlines(), (
        "The API has changed. If that is meant, write it down in CHANGELOG.md and renew the list "
        "with %s=1." % UPDATE
    )


def test_no_private_type_is_exported() -> None:
    for name in pyflink_async_batch.__all__:
        assert not name.startswith("_") or name == "__version__"
