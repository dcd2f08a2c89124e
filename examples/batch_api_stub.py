"""A Batch API to develop and test against, which misbehaves on demand.

It speaks OpenAI's shape (files, batches, files of results and errors) and the plain one (``POST
/ml/api/batch_predict``, ``GET /ml/api/batch/status/<id>``), listens on loopback only, keeps
everything in memory and needs nothing but Python. A chat completion's answer repeats the last
message; of any other request the answer is the request.

Run it, and have a third of all requests go wrong::

    python examples/batch_api_stub.py --port 8080 --seconds 2 \
        --fault http_429=0.1 --fault http_500=0.1 --fault answer_lost=0.1 --seed 7

Faults of requests: ``http_429``, ``http_500``, ``silence`` (no answer for ``--silence`` seconds),
``answer_lost`` (it happens, and the connection ends), ``html`` (a page with status 200). Faults of
jobs: ``failed``, ``expired`` (half of the requests answered), ``partial`` (half of them errors),
``duplicate``, ``missing``, ``foreign`` (ids), ``corrupt`` (a line that is no JSON), ``truncated``,
``unknown_status``, ``no_output``. Each comes with the probability that is given. ``POST
/_stub/clock`` with ``{"seconds": 90000}`` has the provider's clock jump.
"""

import argparse
import email
import email.policy
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable, Dict, List, Optional, Tuple
from urllib.parse import parse_qs, urlsplit

from batch_api_provider import JOB_FAULTS, WINDOW_SECONDS, Job, Provider

REQUEST_FAULTS = ("http_429", "http_500", "silence", "answer_lost", "html")


class Answer(Exception):  # noqa: N818
    """Ends a request with something other than 200."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code


class Handler(BaseHTTPRequestHandler):
    """One connection. The attributes are set by :func:`serve`."""

    protocol_version = "HTTP/1.1"
    provider: Provider
    silence_seconds: float
    stopped: threading.Event

    def do_GET(self) -> None:
        self.respond()

    def do_POST(self) -> None:
        self.respond()

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: requests may hold what no log should."""

    def respond(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        provider = self.provider
        with provider.lock:
            fault = None if url.path.startswith("/_stub/") else provider.draw(REQUEST_FAULTS)
        if fault == "http_429":
            self.send(429, error("rate_limit_exceeded"), {"Retry-After": "1"})
        elif fault == "http_500":
            self.send(500, error("server_error"))
        elif fault == "html":
            self.send(200, b"<html>log in</html>", {"Content-Type": "text/html"})
        elif fault == "silence":
            self.stopped.wait(self.silence_seconds)
            self.close_connection = True
        else:
            try:
                with provider.lock:
                    content = self.route(url.path, parse_qs(url.query), body)
                status = 200
            except Answer as answer:
                status, content = answer.status, error(answer.code)
            if fault == "answer_lost":
                self.close_connection = True
            else:
                self.send(status, content)

    def send(self, status: int, content: bytes, headers: Optional[Dict[str, str]] = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    # ------------------------------------------------------------------------------- requests

    def route(self, path: str, query: Dict[str, List[str]], body: bytes) -> bytes:
        routes: List[Tuple[str, Callable[..., Any]]] = [
            (r"POST /v1/files", lambda: self.upload(body)),
            (r"GET /v1/files/([\w-]+)/content", self.content),
            (r"POST /v1/batches", lambda: self.create(json.loads(body))),
            (r"GET /v1/batches", lambda: self.list_jobs(query)),
            (r"GET /v1/batches/(\w+)", lambda job: self.describe(self.job(job))),
            (r"POST /v1/batches/(\w+)/cancel", self.cancel),
            (r"POST /ml/api/batch_predict", lambda: self.predict(body)),
            (r"GET /ml/api/batch/status/(\w+)", lambda job: self.describe_plainly(self.job(job))),
            (r"GET /ml/api/results/([\w-]+)", self.content),
            (r"POST /_stub/clock", lambda: self.jump(json.loads(body))),
        ]
        for pattern, action in routes:
            match = re.fullmatch(pattern, f"{self.command} {path}")
            if match:
                answer = action(*match.groups())
                return answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        raise Answer(404, "not_found")

    def job(self, job_id: str) -> Job:
        if job_id not in self.provider.jobs:
            raise Answer(404, "no_such_batch")
        return self.provider.jobs[job_id]

    def form_file(self, body: bytes) -> Tuple[str, bytes]:
        head = b"Content-Type: " + self.headers["Content-Type"].encode() + b"\r\n\r\n"
        form = email.message_from_bytes(head + body, policy=email.policy.HTTP)
        for part in form.iter_parts():
            if part.get_filename():
                return str(part.get_filename()), part.get_payload(decode=True)
        raise Answer(400, "no_file")

    def upload(self, body: bytes) -> Dict[str, Any]:
        name, content = self.form_file(body)
        return {
            "id": self.provider.store(name, content),
            "object": "file",
            "bytes": len(content),
            "created_at": int(self.provider.now()),
            "filename": name,
            "purpose": "batch",
            "status": "processed",
        }

    def content(self, file_id: str) -> bytes:
        if file_id not in self.provider.files:
            raise Answer(404, "no_such_file")
        return self.provider.files[file_id][1]

    def create(self, body: Dict[str, Any]) -> Dict[str, Any]:
        file_id = body.get("input_file_id")
        if file_id not in self.provider.files:
            raise Answer(400, "no_such_file")
        # As with the original, a key that is sent along keeps nothing from being created twice.
        return self.describe(self.provider.create(self.provider.files[file_id][1], body, None))

    def predict(self, body: bytes) -> Dict[str, Any]:
        _, content = self.form_file(body)
        key = self.headers.get("Idempotency-Key")
        return self.describe_plainly(self.provider.create(content, {}, key))

    def cancel(self, job_id: str) -> Dict[str, Any]:
        job = self.job(job_id)
        if self.provider.status(job) in ("completed", "failed", "expired", "cancelled"):
            raise Answer(409, "already_ended")
        job.cancelled = True
        return self.describe(job)

    def list_jobs(self, query: Dict[str, List[str]]) -> Dict[str, Any]:
        newest_first = list(self.provider.jobs.values())[::-1]
        limit = min(int(query.get("limit", ["20"])[0]), 100)
        ids = [job.id for job in newest_first]
        after = query.get("after", [""])[0]
        start = ids.index(after) + 1 if after in ids else 0
        page = newest_first[start : start + limit]
        return {
            "object": "list",
            "data": [self.describe(job) for job in page],
            "first_id": page[0].id if page else None,
            "last_id": page[-1].id if page else None,
            "has_more": start + limit < len(newest_first),
        }

    def jump(self, body: Dict[str, Any]) -> Dict[str, Any]:
        self.provider.clock_offset += float(body["seconds"])
        return {"now": self.provider.now()}

    def describe(self, job: Job) -> Dict[str, Any]:
        status = self.provider.status(job)
        failed = {"object": "list", "data": [{"code": "invalid_request", "message": "refused"}]}
        return {
            "id": job.id,
            "object": "batch",
            "endpoint": job.body.get("endpoint", ""),
            "input_file_id": job.body.get("input_file_id", ""),
            "completion_window": job.body.get("completion_window", "24h"),
            "status": status,
            "errors": failed if status == "failed" else None,
            "created_at": int(job.created_at),
            "expires_at": int(job.created_at) + WINDOW_SECONDS,
            "output_file_id": job.output_file_id,
            "error_file_id": job.error_file_id,
            "metadata": job.body.get("metadata"),
            "request_counts": {"total": len(job.lines), "completed": 0, "failed": 0},
        }

    def describe_plainly(self, job: Job) -> Dict[str, Any]:
        answer = {"id": job.id, "status": self.provider.status(job)}
        if job.output_file_id:
            answer["results_url"] = "/ml/api/results/" + job.output_file_id
        return answer


def error(code: str) -> bytes:
    return json.dumps({"error": {"code": code, "message": code, "type": "stub"}}).encode()


class Server(ThreadingHTTPServer):
    """Ends its requests, silent ones too, when it is closed."""

    daemon_threads = True
    stopped: threading.Event

    def server_close(self) -> None:
        self.stopped.set()
        super().server_close()


def serve(
    port: int = 0,
    seconds: float = 1.0,
    faults: Optional[Dict[str, float]] = None,
    seed: int = 0,
    silence_seconds: float = 600.0,
) -> Server:
    """A server that listens and does not answer before ``serve_forever``.

    :param port: on loopback; 0 for any that is free, see ``server_address``
    :param seconds: from a job's creation to its end
    :param faults: probabilities by the names in the module's docstring
    :param seed: of all that is drawn
    """
    unknown = sorted(set(faults or {}) - set(REQUEST_FAULTS) - set(JOB_FAULTS))
    if unknown:
        raise ValueError(f"there is no fault named {unknown[0]!r}")
    stopped = threading.Event()
    attributes = {
        "provider": Provider(seconds, dict(faults or {}), seed),
        "silence_seconds": silence_seconds,
        "stopped": stopped,
    }
    server = Server(("127.0.0.1", port), type("StubHandler", (Handler,), attributes))
    server.stopped = stopped
    return server


def parse_fault(text: str) -> Tuple[str, float]:
    name, _, probability = text.partition("=")
    return name, float(probability or 1)


def main() -> None:
    parser = argparse.ArgumentParser(description="a Batch API that misbehaves on demand")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=1.0, help="how long a job takes")
    parser.add_argument("--fault", type=parse_fault, action="append", default=[])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--silence", type=float, default=600.0)
    options = parser.parse_args()
    server = serve(
        options.port, options.seconds, dict(options.fault), options.seed, options.silence
    )
    print(f"http://127.0.0.1:{server.server_address[1]}/v1", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()


if __name__ == "__main__":
    main()
