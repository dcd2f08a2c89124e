"""The provider behind ``batch_api_stub.py``: files, jobs and how they end, without HTTP."""

import dataclasses
import json
import random
import threading
import time
import uuid
from typing import Any, Dict, List, Optional, Tuple

JOB_FAULTS = (
    "failed",
    "expired",
    "partial",
    "duplicate",
    "missing",
    "foreign",
    "corrupt",
    "truncated",
    "unknown_status",
    "no_output",
)
WINDOW_SECONDS = 24 * 60 * 60


@dataclasses.dataclass
class Job:
    """One batch: what it was made of, and how it will end."""

    id: str
    lines: List[Dict[str, Any]]
    created_at: float
    fault: Optional[str]
    body: Dict[str, Any]
    idempotency_key: Optional[str] = None
    cancelled: bool = False
    output_file_id: Optional[str] = None
    error_file_id: Optional[str] = None
    done: bool = False


class Provider:
    """Files and jobs. All methods are called under ``lock``."""

    def __init__(self, seconds: float, faults: Dict[str, float], seed: int) -> None:
        self.lock = threading.Lock()
        self.seconds = seconds
        self.faults = faults
        self.random = random.Random(seed)
        self.files: Dict[str, Tuple[str, bytes]] = {}
        self.jobs: Dict[str, Job] = {}
        self.clock_offset = 0.0

    def now(self) -> float:
        return time.time() + self.clock_offset

    def draw(self, names: Tuple[str, ...]) -> Optional[str]:
        for name in names:
            if self.random.random() < self.faults.get(name, 0.0):
                return name
        return None

    def store(self, name: str, content: bytes) -> str:
        file_id = "file-" + uuid.uuid4().hex
        self.files[file_id] = (name, content)
        return file_id

    def create(self, content: bytes, body: Dict[str, Any], key: Optional[str]) -> Job:
        for job in self.jobs.values():
            if key is not None and job.idempotency_key == key:
                return job
        lines = [json.loads(line) for line in content.splitlines() if line.strip()]
        job = Job(
            id="batch_" + uuid.uuid4().hex,
            lines=lines,
            created_at=self.now(),
            fault=self.draw(JOB_FAULTS),
            body=body,
            idempotency_key=key,
        )
        self.jobs[job.id] = job
        return job

    def status(self, job: Job) -> str:
        """The word for a job now; writes its files once it has ended."""
        age = self.now() - job.created_at
        if job.cancelled:
            word = "cancelled"
        elif job.fault == "failed":
            word = "validating" if age < self.seconds / 3 else "failed"
        elif job.fault == "expired" or age > WINDOW_SECONDS:
            word = "in_progress" if age < self.seconds else "expired"
        elif age < self.seconds / 3:
            word = "validating"
        elif age < self.seconds * 2 / 3:
            word = "paused" if job.fault == "unknown_status" else "in_progress"
        elif age < self.seconds:
            word = "finalizing"
        else:
            word = "completed"
        if word in ("completed", "expired", "cancelled") and not job.done:
            job.done = True
            self.finish(job, word)
        return word

    def finish(self, job: Job, word: str) -> None:
        half = len(job.lines) // 2
        answered = job.lines
        errors: List[Dict[str, Any]] = []
        if word != "completed" or job.fault in ("partial", "missing"):
            answered = job.lines[:half]
        if word != "completed" or job.fault == "partial":
            code = "server_error" if word == "completed" else "batch_" + word
            errors = [failure(line, code) for line in job.lines[half:]]
        results = [result(line) for line in answered]
        if job.fault == "duplicate":
            results += results
        if job.fault == "foreign":
            results.append({**results[0], "custom_id": "stranger"})
        content = b"".join(json.dumps(line).encode() + b"\n" for line in results)
        if job.fault == "corrupt":
            content = b'\xef\xbb\xbf\n{"custom_id": \n' + content
        if job.fault == "truncated":
            content = content[: len(content) * 2 // 3 + 1]
        if results and job.fault != "no_output":
            job.output_file_id = self.store("output.jsonl", content)
        if errors:
            lines = b"".join(json.dumps(line).encode() + b"\n" for line in errors)
            job.error_file_id = self.store("errors.jsonl", lines)


def result(line: Dict[str, Any]) -> Dict[str, Any]:
    """The line for a request that was answered, in the shape in which it came."""
    custom_id = line["custom_id"]
    if "input" in line:
        return {"custom_id": custom_id, "output": line["input"]}
    body = line["body"]
    if line.get("url", "").endswith("/chat/completions"):
        message = {"role": "assistant", "content": body["messages"][-1]["content"]}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        body = {"id": "chatcmpl-stub", "object": "chat.completion", "choices": [choice]}
    response = {"status_code": 200, "request_id": "req-stub", "body": body}
    return {"id": "response", "custom_id": custom_id, "response": response, "error": None}


def failure(line: Dict[str, Any], code: str) -> Dict[str, Any]:
    """The line for a request that was not answered."""
    error = {"code": code, "message": "this request was not answered"}
    return {"id": "response", "custom_id": line["custom_id"], "response": None, "error": error}
