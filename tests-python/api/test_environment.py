"""What a call changes in the environment, and which environments it refuses."""

import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from pyflink.common import Configuration
from pyflink.datastream import StreamExecutionEnvironment
from pyflink_async_batch import UnsupportedEnvironmentError
from pyflink_async_batch._graph import bundled_jar, execution_environment
from pyflink_async_batch._graph.bundled_jar import add_bundled_jar, bundled_jar_url
from pyflink_async_batch._graph.execution_environment import (
    default_to_this_interpreter,
    environment_configuration,
    require_usable_execution_mode,
)
from pyflink_async_batch._graph.pyflink_version import require_supported_pyflink


@pytest.fixture
def j_configuration(environment: StreamExecutionEnvironment) -> Any:
    return environment_configuration(environment._j_stream_execution_environment)


@pytest.fixture
def jar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A stand-in for the bundled jar, under a path that needs quoting."""
    directory = tmp_path / "it's a, lib"
    directory.mkdir()
    (directory / "flink-python-async-batch-1.jar").touch()
    url = bundled_jar_url(directory)
    monkeypatch.setattr(bundled_jar, "bundled_jar_url", lambda: url)
    return url


def jars_of(j_configuration: Any) -> list[str]:
    value = j_configuration.getString("pipeline.jars", None)
    return list(Configuration.parse_list_value(value))


class TestBundledJar:
    def test_is_found(self, tmp_path: Path) -> None:
        (tmp_path / "flink-python-async-batch-1.2.jar").touch()
        (tmp_path / "another.jar").touch()
        assert bundled_jar_url(tmp_path) == f"file://{tmp_path}/flink-python-async-batch-1.2.jar"

    def test_missing(self, tmp_path: Path) -> None:
        with pytest.raises(
            UnsupportedEnvironmentError,
            match=r"exactly one jar named 'flink-python-async-batch-\*.jar' in .*, found none",
        ):
            bundled_jar_url(tmp_path)
        with pytest.raises(UnsupportedEnvironmentError, match="found none"):
            bundled_jar_url(tmp_path / "missing")

    def test_is_unpacked_from_a_wheel_that_is_imported_as_it_is(self, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "package.whl", "w") as wheel:
            wheel.writestr("package/lib/flink-python-async-batch-1.2.jar", b"the jar")
        lib = zipfile.Path(tmp_path / "package.whl", "package/lib/")
        url = bundled_jar_url(lib)
        assert Path(url[len("file://") :]).read_bytes() == b"the jar"
        assert bundled_jar_url(lib) == url

    def test_more_than_one(self, tmp_path: Path) -> None:
        (tmp_path / "flink-python-async-batch-1.jar").touch()
        (tmp_path / "flink-python-async-batch-2.jar").touch()
        with pytest.raises(UnsupportedEnvironmentError, match=r"found .*-1\.jar, .*-2\.jar"):
            bundled_jar_url(tmp_path)

    def test_is_added_once(self, j_configuration: Any, jar: str) -> None:
        add_bundled_jar(j_configuration)
        add_bundled_jar(j_configuration)
        assert jars_of(j_configuration) == [jar]

    def test_the_users_jars_stay(
        self,
        environment: StreamExecutionEnvironment,
        j_configuration: Any,
        jar: str,
        tmp_path: Path,
    ) -> None:
        before, after = (tmp_path / "before.jar").as_uri(), (tmp_path / "after.jar").as_uri()
        environment.add_jars(before)
        add_bundled_jar(j_configuration)
        environment.add_jars(after)
        add_bundled_jar(j_configuration)
        assert jars_of(j_configuration) == [before, jar, after]


class TestInterpreter:
    KEY = "python.executable"

    def test_of_a_local_job_is_this_one(self, j_configuration: Any) -> None:
        default_to_this_interpreter(j_configuration)
        assert j_configuration.getString(self.KEY, None) == sys.executable

    def test_the_users_choice_stays(
        self, environment: StreamExecutionEnvironment, j_configuration: Any
    ) -> None:
        environment.set_python_executable("/opt/python")
        default_to_this_interpreter(j_configuration)
        assert j_configuration.getString(self.KEY, None) == "/opt/python"

    def test_of_a_remote_job_is_the_clusters(self, j_configuration: Any) -> None:
        j_configuration.setString("execution.target", "remote")
        default_to_this_interpreter(j_configuration)
        assert not j_configuration.containsKey(self.KEY)

    def test_unknown_is_left_alone(
        self, j_configuration: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "executable", "")
        default_to_this_interpreter(j_configuration)
        assert not j_configuration.containsKey(self.KEY)


class TestTheExecutionMode:
    KEY = "python.execution-mode"

    @pytest.mark.parametrize("mode", ["process", "thread"])
    def test_is_one_of_pyflinks(self, j_configuration: Any, mode: str) -> None:
        require_usable_execution_mode(j_configuration)
        j_configuration.setString(self.KEY, mode)
        require_usable_execution_mode(j_configuration)

    def test_is_process_for_a_shared_worker(self, j_configuration: Any) -> None:
        require_usable_execution_mode(j_configuration, shares_worker=True)
        j_configuration.setString(self.KEY, "thread")
        with pytest.raises(
            UnsupportedEnvironmentError,
            match=r"worker='shared' needs 'python.execution-mode' to be 'process', got 'thread'",
        ):
            require_usable_execution_mode(j_configuration, shares_worker=True)

    @pytest.mark.parametrize("mode", ["Thread", "multi-thread", ""])
    def test_is_no_other(self, j_configuration: Any, mode: str) -> None:
        j_configuration.setString(self.KEY, mode)
        with pytest.raises(
            UnsupportedEnvironmentError,
            match=f"'python.execution-mode' must be 'process' or 'thread', got '{mode}'",
        ):
            require_usable_execution_mode(j_configuration)

    def test_needs_pemja_to_be_thread(
        self, j_configuration: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(execution_environment, "find_spec", lambda name: None)
        require_usable_execution_mode(j_configuration)
        j_configuration.setString(self.KEY, "thread")
        with pytest.raises(UnsupportedEnvironmentError, match="pemja"):
            require_usable_execution_mode(j_configuration)

    def test_needs_linux_to_be_thread(
        self, j_configuration: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "platform", "darwin")
        j_configuration.setString(self.KEY, "thread")
        with pytest.raises(UnsupportedEnvironmentError, match="Linux only, this is 'darwin'"):
            require_usable_execution_mode(j_configuration)

    def test_of_a_remote_job_is_for_its_task_managers_to_judge(
        self, j_configuration: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "platform", "darwin")
        j_configuration.setString("execution.target", "remote")
        j_configuration.setString(self.KEY, "thread")
        require_usable_execution_mode(j_configuration)


@pytest.mark.parametrize(
    "version", ["2.2.1", "2.2.2", "2.2.10", "2.3.0", "2.3.1", "2.3.12", "2.3", "2.3.dev0"]
)
def test_supported_versions_of_pyflink(version: str) -> None:
    require_supported_pyflink(version)


@pytest.mark.parametrize(
    "version", ["1.20.0", "2.1.3", "2.2", "2.2.0", "2.4.0", "2.30.0", "3.2.3", "12.3.0", ""]
)
def test_other_versions_of_pyflink_are_refused(version: str) -> None:
    with pytest.raises(
        UnsupportedEnvironmentError, match=r"apache-flink 2\.2\.1 and later .* and with 2\.3\.x"
    ) as raised:
        require_supported_pyflink(version)
    assert f"apache-flink {version} is installed" in str(raised.value)


def test_the_installed_pyflink_is_supported() -> None:
    require_supported_pyflink()
