"""The comparison of the public Java API with its baseline sees what breaks users, and only that."""

import importlib.util
import subprocess
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import urlparse
from urllib.request import url2pathname

import pyflink
import pytest
from pyflink_async_batch._graph.bundled_jar import bundled_jar_url

ROOT = Path(__file__).resolve().parents[2]
JAPICMP = ROOT / "target" / "japicmp" / "japicmp-jar-with-dependencies.jar"
PACKAGE = "io/asyncbatch/flink/"
WEIGHT_FUNCTION = """
package io.asyncbatch.flink;
@org.apache.flink.annotation.PublicEvolving
public interface WeightFunction<T>
        extends org.apache.flink.api.common.functions.Function, java.io.Serializable {
    long weigh(T row) throws Exception;
    %s
}
"""

_spec = importlib.util.spec_from_file_location("java_api", ROOT / "release" / "java_api.py")
assert _spec is not None
java_api: Any = importlib.util.module_from_spec(_spec)
assert _spec.loader is not None
_spec.loader.exec_module(java_api)


@pytest.fixture
def jar() -> Path:
    """The jar that the wheel carries."""
    return Path(url2pathname(urlparse(bundled_jar_url()).path))


@pytest.fixture
def changed(jar: Path, tmp_path: Path) -> Any:
    """Makes a jar that lacks some classes, or has others in their places."""

    def make(left_out: str = "", source: str = "") -> Path:
        classes = tmp_path / "classes"
        classes.mkdir()
        if source:
            file = tmp_path / "WeightFunction.java"
            file.write_text(source, encoding="utf-8")
            path = "%s:%s/lib/*" % (jar, Path(pyflink.__file__).parent)
            command = ["javac", "-proc:none", "-d", str(classes), "-cp", path, str(file)]
            subprocess.run(command, check=True)
        new = {str(file.relative_to(classes)): file for file in classes.rglob("*.class")}
        with zipfile.ZipFile(jar) as old, zipfile.ZipFile(tmp_path / "new.jar", "w") as made:
            for name in old.namelist():
                if java_api.OURS.fullmatch(name) and name not in new and name != left_out:
                    made.writestr(name, old.read(name))
            for name, file in new.items():
                made.write(file, name)
        return tmp_path / "new.jar"

    return make


def found(jar: Path, new: Path, tmp_path: Path) -> str:
    baseline = tmp_path / "baseline.jar"
    java_api.write_api(jar, baseline)
    return str(java_api.incompatibilities(baseline, new, JAPICMP))


def test_a_jar_is_compatible_with_itself(jar: Path, tmp_path: Path) -> None:
    assert found(jar, jar, tmp_path) == ""


@pytest.mark.parametrize("name", ["sidecar/TensorCodec", "AsyncBatchOptions$Builder"])
def test_a_public_class_that_is_gone_is_named(
    jar: Path, changed: Any, tmp_path: Path, name: str
) -> None:
    report = found(jar, changed(left_out=PACKAGE + name + ".class"), tmp_path)
    assert (PACKAGE + name).replace("/", ".") in report


def test_an_internal_class_may_go(jar: Path, changed: Any, tmp_path: Path) -> None:
    gone = PACKAGE + "operator/RestoredRows.class"
    assert found(jar, changed(left_out=gone), tmp_path) == ""


def test_a_method_that_users_have_to_add_is_named(jar: Path, changed: Any, tmp_path: Path) -> None:
    report = found(jar, changed(source=WEIGHT_FUNCTION % "String unit();"), tmp_path)
    assert "io.asyncbatch.flink.WeightFunction" in report
    assert "unit()" in report


def test_a_method_that_users_may_use_is_compatible(jar: Path, changed: Any, tmp_path: Path) -> None:
    source = WEIGHT_FUNCTION % 'default String unit() { return "tokens"; }'
    assert found(jar, changed(source=source), tmp_path) == ""


def test_the_text_of_the_baseline_is_that_of_its_jar() -> None:
    text = java_api.BASELINE.with_suffix(".txt").read_text(encoding="utf-8")
    assert text == java_api.text_of(java_api.BASELINE), java_api.ADVICE


def test_the_baseline_holds_what_users_import(jar: Path, tmp_path: Path) -> None:
    java_api.write_api(jar, tmp_path / "api.jar")
    with zipfile.ZipFile(tmp_path / "api.jar") as archive:
        names = archive.namelist()
    assert PACKAGE + "AsyncDataStream.class" in names
    assert PACKAGE + "batchapi/BatchInferenceOptions$Builder.class" in names
    assert not [name for name in names if "/shaded/" in name or "/operator/" in name]
