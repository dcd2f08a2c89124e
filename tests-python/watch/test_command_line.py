"""The command, as users call it, against recorded answers; see also e2e/test_watch.py."""

import os
import pty
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from flink_rest_stub import JOB, OPERATOR, RECORDED, SOURCE, VERTEX, FlinkRestStub
from pyflink_async_batch._watch import command_line
from report_page import parse, plots

COMMAND = [str(Path(sys.executable).with_name("pyflink-async-batch"))]
# The same without Rich, as it is without the extra.
BARE = [
    sys.executable,
    "-c",
    "import sys; sys.modules['rich'] = None\n"
    "from pyflink_async_batch._watch.command_line import main; main()",
]
HOSTILE_NAME = RECORDED["/jobs/overview"]["jobs"][0]["name"]


def run(*arguments: str, command: Any = COMMAND, status: int = 0) -> Any:
    done = subprocess.run(
        [*command, *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        timeout=120,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done


def words(frame: str) -> list[str]:
    """The values of the one operator's row."""
    (row,) = [line for line in frame.splitlines() if "classify" in line]
    return row.strip("│ ").split()


def test_one_frame_shows_the_operator(stub: FlinkRestStub) -> None:
    stub.empty_lists = 4
    stub.metric("capacity", 20)
    shown = run("top", "--rest", stub.url, "--once").stdout
    assert "Flink 2.3.0 at %s, jobs with async-batch operators: 1, without: 0" % stub.url in shown
    assert "RUNNING for 0m 18s · 0 of 4 tasks finished · restarts 0" in shown
    assert "checkpoints 1, failed 9, last 4.3 KiB in 7139 ms" in shown
    values = " ".join(words(shown))
    # rows/s by Flink's mean; rows; batch; sizes; in flight; call; wait; to leave; retries;
    # timeouts; failures; workers; breaker; held; state
    assert values == (
        OPERATOR.replace("\u202e", "\ufffd")
        + " x2 357 41,984 16/16 ·······█ 16/20 52 ms/97 ms 53 ms 0 0 0 0/0 2/0/0 - - 3.8 KiB"
    )


def test_a_limit_and_breakers_are_shown_where_there_are_any(stub: FlinkRestStub) -> None:
    stub.metric("callsInFlight", 12)
    stub.metric("backendCallsInFlight", 40)
    # Of both subtasks together, so that each tells of all of it.
    stub.metric("concurrencyLimit", 48)
    stub.metric("circuitBreakerState", 1)
    stub.answers["/jobs/%s/vertices/%s/metrics" % (JOB, VERTEX)] = [
        {"id": "0.%s.circuitBreakerState" % OPERATOR, "value": "1"},
        {"id": "1.%s.circuitBreakerState" % OPERATOR, "value": "HALF_OPEN"},
    ]
    shown = " ".join(words(run("top", "--rest", stub.url, "--once").stdout))
    assert " 16, calls 12, limit 20/24 " in shown
    assert " 1 half open, 1 open " in shown


def test_where_nothing_limits_calls_no_limit_is_shown(stub: FlinkRestStub) -> None:
    stub.metric("callsInFlight", 12)
    stub.metric("concurrencyLimit", 2 * (2**31 - 1))
    shown = " ".join(words(run("top", "--rest", stub.url, "--once").stdout))
    assert "16/16 ·······█ 16 52 ms" in shown


def test_progress_of_a_bounded_job_is_shown(stub: FlinkRestStub) -> None:
    source = stub.vertex(SOURCE)
    source["status"] = "FINISHED"
    source["metrics"].update({"write-records": 41985, "write-records-complete": True})
    shown = " ".join(words(run("top", "--rest", stub.url, "--once").stdout))
    # One row is left at 357 rows/s.
    assert " 41,984 of 41,985, 99%, 0m 00s left " in shown


def test_progress_is_shown_from_the_beginning_where_the_rows_are_told(stub: FlinkRestStub) -> None:
    """While sources run nobody but the user knows how many rows there will be."""
    shown = run("top", "--rest", stub.url, "--once", "--rows", "77715").stdout
    assert " 41,984 of 77,715, 54%, 1m 39s left " in " ".join(words(shown))
    # A number that was too low is no reason to show more than all.
    shown = run("top", "--rest", stub.url, "--once", "--rows", "1000").stdout
    assert " 1,000 of 1,000, 100% " in " ".join(words(shown))


@pytest.mark.parametrize("rows", ["0", "-1", "many"])
def test_a_number_of_rows_that_cannot_be_is_refused(rows: str) -> None:
    refused = run("top", "--rest", "http://127.0.0.1:9", "--rows", rows, status=2)
    assert "--rows" in refused.stderr


def test_workers_that_are_being_replaced_are_counted(stub: FlinkRestStub) -> None:
    stub.metric("workerReady", 1)
    stub.metric("workerRestarting", 1)
    stub.metric("workerRestarts", 5)
    shown = " ".join(words(run("top", "--rest", stub.url, "--once").stdout))
    assert " 1/1/5 " in shown


def test_jobs_without_such_operators_are_counted_only(stub: FlinkRestStub) -> None:
    stub.metric("totalBatchesProcessed", None)
    shown = run("top", "--rest", stub.url, "--once").stdout
    assert "jobs with async-batch operators: 0, without: 1" in shown
    assert "script" not in shown


def test_names_of_a_cluster_neither_steer_the_terminal_nor_are_markup(stub: FlinkRestStub) -> None:
    assert "\x1b" in HOSTILE_NAME
    assert "[red]" in HOSTILE_NAME
    shown = run("top", "--rest", stub.url, "--once").stdout
    assert not {c for c in shown if c != "\n" and (ord(c) < 0x20 or c in "\x7f\x9b\u202e")}
    assert '<script>alert(1)</script> "job" \ufffd[31m[red]é' in shown


def test_without_rich_top_says_what_to_install_and_report_works(
    stub: FlinkRestStub, tmp_path: Path
) -> None:
    refused = run("top", "--rest", stub.url, "--once", command=BARE, status=2)
    assert "'top' needs Rich: pip install 'pyflink-async-batch[watch]'" in refused.stderr
    assert "Traceback" not in refused.stderr
    output = tmp_path / "report.html"
    run(
        *("report", "--rest", stub.url, "--job", JOB, "--seconds", "0.1", "--output", str(output)),
        command=BARE,
    )
    parse(output.read_text(encoding="utf-8"))


def test_a_report_is_one_page_in_which_names_are_text(stub: FlinkRestStub, tmp_path: Path) -> None:
    output = tmp_path / "report.html"
    output.write_text("an earlier one")
    done = run(
        *("report", "--rest", stub.url, "--job", HOSTILE_NAME, "--seconds", "0.3"),
        *("--interval", "0.1", "--output", str(output)),
    )
    assert "The time that was asked for was over." in done.stdout
    text = output.read_text(encoding="utf-8")
    root = parse(text)
    shown = HOSTILE_NAME.replace("\x1b", "\ufffd")
    assert root.findtext("head/title") == shown
    assert root.findtext("body/h1") == shown
    assert root.findtext("body/h2") == OPERATOR.replace("\u202e", "\ufffd")
    assert "\u202e" not in text
    assert "default-src 'none'" in text
    drawn = plots(root)
    assert set(drawn) == {
        "Checkpointed state",
        "Last checkpoint took",
        "Throughput",
        "Rows done",
        "Batch sizes at the end",
        "In flight",
        "Batch size",
        "Calls took",
        "From first row to last result",
        "Waiting for a place",
        "So far",
        "Workers",
    }
    (samples,) = {points for lines in drawn.values() for points in lines}
    assert samples >= 2
    assert "%d samples" % samples in done.stdout
    # A report is the user's to share.
    assert stat.S_IMODE(output.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [output]


def test_a_report_ends_with_its_job(stub: FlinkRestStub, tmp_path: Path) -> None:
    stub.job["state"] = "FAILED"
    output = tmp_path / "report.html"
    done = run("report", "--rest", stub.url, "--job", JOB, "--output", str(output))
    assert "1 samples. The job ended: FAILED." in done.stdout
    assert "The job ended: FAILED." in output.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "status", "problem"),
    [
        (["top", "--rest", "nowhere", "--once"], 2, "--rest must be an address"),
        (["top"], 2, "--rest"),
        (["top", "--rest", "URL", "--interval", "0"], 2, "must be at least 0.1"),
        (["top", "--rest", "URL", "--interval", "nan"], 2, "must be at least 0.1"),
        ([], 2, "COMMAND"),
        (["report", "--rest", "URL", "--job", "x", "--output", "O"], 1, "no job with id or name"),
        (["report", "--rest", "URL", "--job", "x", "--output", "/nowhere/o"], 2, "--output must"),
        (["report", "--rest", "URL", "--job", "x", "--output", "/"], 2, "--output must"),
    ],
)
def test_what_is_wrong_is_named(
    stub: FlinkRestStub, tmp_path: Path, arguments: list[str], status: int, problem: str
) -> None:
    written = {"URL": stub.url, "O": str(tmp_path / "o.html")}
    done = run(*(written.get(argument, argument) for argument in arguments), status=status)
    assert problem in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_several_jobs_have_is_refused_with_their_ids(
    stub: FlinkRestStub, tmp_path: Path
) -> None:
    stub.answers["/jobs/overview"]["jobs"].append(
        {"jid": "0" * 32, "name": HOSTILE_NAME, "state": "FINISHED"}
    )
    output = str(tmp_path / "o.html")
    done = run("report", "--rest", stub.url, "--job", HOSTILE_NAME, "--output", output, status=2)
    assert JOB in done.stderr
    assert "0" * 32 in done.stderr
    assert "\x1b" not in done.stderr


def test_a_cluster_that_is_not_there_ends_the_live_view_too(stub: FlinkRestStub) -> None:
    stub.close()
    assert "refused" in run("top", "--rest", stub.url, status=1).stderr


@pytest.mark.timeout(120)
def test_the_live_view_takes_the_screen_and_gives_it_back(stub: FlinkRestStub) -> None:
    terminal, its_end = pty.openpty()
    # Not pty.fork: this process has threads, of gRPC among them, and a fork of it may hang.
    process = subprocess.Popen(
        [*COMMAND, "top", "--rest", stub.url, "--interval", "0.1"],
        env={**os.environ, "COLUMNS": "100", "LINES": "30", "TERM": "xterm-256color"},
        stdin=its_end,
        stdout=its_end,
        stderr=its_end,
    )
    os.close(its_end)
    shown = b""
    reads = 0
    while True:
        try:
            shown += os.read(terminal, 65536)
        except OSError:
            # The other side is closed.
            break
        if b"workers up/ " in shown and stub.paths.count("/config") > 2:
            reads += 1
            # Python drops an interruption that meets a finalizer: people press it again then.
            if reads % 50 == 1:
                process.send_signal(signal.SIGINT)
    os.close(terminal)
    assert process.wait() == 130
    enters, leaves = b"\x1b[?1049h", b"\x1b[?1049l"
    assert shown.index(enters) < shown.rindex(leaves)
    assert b"Traceback" not in shown
    assert "\u202e".encode() not in shown


def test_the_live_view_goes_on_when_an_answer_is_missing(
    stub: FlinkRestStub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    overview = stub.answers["/jobs/overview"]
    frames = []

    def wait(seconds: float) -> None:
        frames.append(len(stub.paths))
        if len(frames) == 1:
            stub.answers["/jobs/overview"] = 503
        elif len(frames) == 2:
            stub.answers["/jobs/overview"] = overview
        else:
            raise KeyboardInterrupt

    monkeypatch.setattr(command_line.time, "sleep", wait)
    with pytest.raises(SystemExit) as left:
        command_line.main(["top", "--rest", stub.url])
    assert left.value.code == 130
    assert len(frames) == 3
    assert "classify" in capsys.readouterr().out
