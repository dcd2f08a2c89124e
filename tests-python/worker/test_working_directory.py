"""The working directory that threads of one process share."""

import os
from pathlib import Path

import pytest
from pyflink_async_batch._worker import working_directory


def test_the_last_who_leaves_restores_the_directory(tmp_path: Path) -> None:
    before = os.getcwd()
    with working_directory.entered(str(tmp_path)):
        with working_directory.entered(str(tmp_path)):
            assert Path.cwd() == tmp_path
        assert Path.cwd() == tmp_path
    assert os.getcwd() == before


def test_two_jobs_cannot_have_two(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with working_directory.entered(str(tmp_path)):
        refused = pytest.raises(RuntimeError, match=r"another job that has archives.*'process'")
        with refused, working_directory.entered(str(other)):
            pass
        assert Path.cwd() == tmp_path
    with working_directory.entered(str(other)):
        assert Path.cwd() == other


def test_a_job_without_archives_works_anywhere(tmp_path: Path) -> None:
    with working_directory.entered(str(tmp_path)), working_directory.entered(None):
        assert Path.cwd() == tmp_path
