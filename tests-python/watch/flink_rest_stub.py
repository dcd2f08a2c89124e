"""A REST interface on loopback that answers with what Flink answered once."""

import copy
import json
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Optional

RECORDED = json.loads((Path(__file__).parent / "recorded_job.json").read_text(encoding="utf-8"))
JOB = "555975caf461192d1ea650be893732e8"
VERTEX = "20ba6b65f97481d5570070de90e4e791"
SOURCE = "bc764cd8ddf7a0cff126f51c16239658"
OPERATOR = "classify_<b>digits__\u202e_of__1_0_&_é"
# Of Netty's decoder in Flink's server, which then answers 404.
LONGEST_LINE = 4096


class FlinkRestStub:
    """Serves recorded answers, which tests may change before and between requests."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = copy.deepcopy(RECORDED)
        self.paths: list[str] = []
        self.operator = OPERATOR
        # How often lists of metrics are still empty, as they are until Flink has collected them.
        self.empty_lists = 0
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = stub._answer(self.path, len(self.requestline) + 2)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = "http://127.0.0.1:%d" % self._server.server_address[1]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def job(self) -> dict[str, Any]:
        return self.answers["/jobs/" + JOB]

    def vertex(self, vertex: str) -> dict[str, Any]:
        return next(v for v in self.job["vertices"] if v["id"] == vertex)

    def metric(self, name: str, total: Optional[float], subtasks: int = 2) -> None:
        """Sets a metric of the operator, alike in all subtasks; None takes it away."""
        name = "%s.%s" % (self.operator, name)
        metrics = self.answers["/jobs/%s/vertices/%s/subtasks/metrics" % (JOB, VERTEX)]
        metrics[:] = [m for m in metrics if m["id"] != name]
        if total is not None:
            each = total / subtasks
            values = {"min": each, "max": each, "avg": each, "sum": total, "skew": 0.0}
            metrics.append({"id": name, **values})

    def rename(self, operator: str) -> None:
        """Gives the operator another name."""
        for metrics in (self.answers[path] for path in self.answers if "subtasks" in path):
            for metric in metrics:
                metric["id"] = metric["id"].replace(self.operator, operator)
        self.operator = operator

    def _answer(self, target: str, line: int) -> tuple[int, bytes]:
        self.paths.append(target)
        path, _, query = target.partition("?")
        answer = self.answers.get(path)
        if line > LONGEST_LINE or answer is None:
            return 404, json.dumps({"errors": ["Unable to load requested file."]}).encode()
        if isinstance(answer, bytes):
            return 200, answer
        if isinstance(answer, int):
            return answer, b"{}"
        if path.endswith("/metrics"):
            wanted = [
                urllib.parse.unquote(name)
                for value in (p[4:] for p in query.split("&") if p.startswith("get="))
                for name in value.split(",")
            ]
            answer = [m for m in answer if m["id"] in wanted] if wanted else self._listed(answer)
        return 200, json.dumps(answer).encode()

    def _listed(self, answer: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if self.empty_lists:
            self.empty_lists -= 1
            return []
        return [{"id": metric["id"]} for metric in answer]
