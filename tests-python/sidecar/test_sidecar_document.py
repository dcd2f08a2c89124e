"""The page about the sidecar does what it says."""

import re
import shlex
import subprocess
from pathlib import Path

from pyflink_async_batch.sidecar import _command_line
from sidecar_process import SidecarProcess
from test_tritonclient import PYTHON

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "own-sidecar.md").read_text("utf-8")
SOCKET = "/run/models/sentiment.sock"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_example_runs(directory: Path) -> None:
    socket = f"{directory}/s"
    for code in blocks("python"):
        name = re.match(r"# (\w+\.py)\n", code)
        assert name is not None
        (directory / name[1]).write_text(code.replace(SOCKET, socket))
    (command,) = blocks("sh")
    words = shlex.split(command.replace("\\\n", " ").replace(SOCKET, socket))
    assert words[:3] == ["python", "-m", "pyflink_async_batch.sidecar"]
    server = SidecarProcess(f"unix://{socket}", words[3:], directory / "log", directory)
    try:
        server.ready()
        asked = subprocess.run(
            [PYTHON, directory / "ask.py"], capture_output=True, text=True, timeout=60
        )
        assert asked.stdout == "[1. 0.]\n", asked.stderr
    finally:
        server.kill()


def test_every_option_is_described() -> None:
    rows = re.findall(r"^\| (`--.*?) \|", PAGE, re.MULTILINE)
    described = {option for row in rows for option in re.findall(r"--[a-z-]+", row)}
    taken = set(re.findall(r"--[a-z-]+", _command_line.parser().format_help())) - {"--help"}
    assert described == taken
