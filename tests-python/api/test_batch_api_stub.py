"""The stub of a Batch API is one: OpenAI's own client gets along with it, faults and all."""

import json
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import openai
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))

import batch_api_stub as stub


@pytest.fixture
def start() -> Iterator[Callable[..., str]]:
    """Starts servers, and ends them with the test; gives their addresses."""
    servers = []

    def started(**options: Any) -> str:
        server = stub.serve(**options)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield started
    for server in servers:
        server.shutdown()
        server.server_close()


def client(address: str, **options: Any) -> openai.OpenAI:
    return openai.OpenAI(base_url=address + "/v1", api_key="none", max_retries=0, **options)


def requests(count: int) -> bytes:
    lines = []
    for number in range(count):
        body = {"model": "m", "messages": [{"role": "user", "content": f"number {number}"}]}
        line = {"custom_id": f"id-{number}", "method": "POST", "url": "/v1/chat/completions"}
        lines.append(json.dumps({**line, "body": body}))
    return "\n".join(lines).encode() + b"\n"


def submit(api: openai.OpenAI, count: int = 4) -> Any:
    file = api.files.create(file=("some.jsonl", requests(count)), purpose="batch")
    return api.batches.create(
        input_file_id=file.id,
        endpoint="/v1/chat/completions",
        completion_window="24h",
        metadata={"async_batch_key": "the key"},
    )


def jump(address: str, seconds: float) -> None:
    body = json.dumps({"seconds": seconds}).encode()
    urllib.request.urlopen(address + "/_stub/clock", data=body).close()


def lines(api: openai.OpenAI, file_id: str) -> Any:
    return [json.loads(line) for line in api.files.content(file_id).text.splitlines()]


def test_a_job_from_its_file_to_its_results(start: Callable[..., str]) -> None:
    address = start(seconds=300)
    api = client(address)
    job = submit(api)
    words = []
    for _ in range(4):
        words.append(api.batches.retrieve(job.id).status)
        jump(address, 100)
    assert words == ["validating", "in_progress", "finalizing", "completed"]
    ended = api.batches.retrieve(job.id)
    assert ended.error_file_id is None
    results = lines(api, ended.output_file_id)
    assert [line["custom_id"] for line in results] == ["id-0", "id-1", "id-2", "id-3"]
    answers = [line["response"]["body"]["choices"][0]["message"]["content"] for line in results]
    assert answers == ["number 0", "number 1", "number 2", "number 3"]


def test_jobs_are_listed_newest_first_over_all_pages(start: Callable[..., str]) -> None:
    api = client(start())
    created = [submit(api, 1).id for _ in range(5)]
    listed = list(api.batches.list(limit=2))
    assert [job.id for job in listed] == created[::-1]
    assert listed[0].metadata == {"async_batch_key": "the key"}


def test_a_job_is_cancelled_once(start: Callable[..., str]) -> None:
    api = client(start(seconds=300))
    job = submit(api)
    cancelled = api.batches.cancel(job.id)
    assert cancelled.status == "cancelled"
    assert len(lines(api, cancelled.output_file_id)) == 2
    with pytest.raises(openai.ConflictError):
        api.batches.cancel(job.id)


@pytest.mark.parametrize(
    ("fault", "status", "results", "errors"),
    [
        ("failed", "failed", None, None),
        ("expired", "expired", ["id-0", "id-1"], ["id-2", "id-3"]),
        ("partial", "completed", ["id-0", "id-1"], ["id-2", "id-3"]),
        ("missing", "completed", ["id-0", "id-1"], None),
        ("duplicate", "completed", ["id-0", "id-1", "id-2", "id-3"] * 2, None),
        ("foreign", "completed", ["id-0", "id-1", "id-2", "id-3", "stranger"], None),
        ("no_output", "completed", None, None),
    ],
)
def test_faults_of_jobs(
    start: Callable[..., str], fault: str, status: str, results: Any, errors: Any
) -> None:
    api = client(start(seconds=0, faults={fault: 1}))
    job = api.batches.retrieve(submit(api).id)
    assert job.status == status
    for file_id, expected in ((job.output_file_id, results), (job.error_file_id, errors)):
        if expected is None:
            assert file_id is None
        else:
            assert [line["custom_id"] for line in lines(api, file_id)] == expected


@pytest.mark.parametrize("fault", ["corrupt", "truncated"])
def test_files_that_cannot_be_read(start: Callable[..., str], fault: str) -> None:
    api = client(start(seconds=0, faults={fault: 1}))
    job = api.batches.retrieve(submit(api).id)
    with pytest.raises(json.JSONDecodeError):
        lines(api, job.output_file_id)


def test_a_word_that_nobody_knows(start: Callable[..., str]) -> None:
    address = start(seconds=300, faults={"unknown_status": 1})
    api = client(address)
    job = submit(api)
    jump(address, 150)
    assert api.batches.retrieve(job.id).status == "paused"


@pytest.mark.parametrize(
    ("fault", "failure"),
    [
        ("http_429", openai.RateLimitError),
        ("http_500", openai.InternalServerError),
        ("silence", openai.APITimeoutError),
        ("answer_lost", openai.APIConnectionError),
    ],
)
def test_faults_of_requests(start: Callable[..., str], fault: str, failure: Any) -> None:
    api = client(start(faults={fault: 1}), timeout=1)
    with pytest.raises(failure):
        api.batches.list()


def test_a_job_whose_answer_was_lost_exists(start: Callable[..., str]) -> None:
    address = start(faults={"answer_lost": 0.5}, seed=1)
    api = client(address)
    attempts = 0
    while True:
        try:
            attempts += 1
            file = api.files.create(file=("some.jsonl", requests(1)), purpose="batch")
            break
        except openai.APIConnectionError:
            assert attempts < 100
    told = 0
    for _ in range(20):
        try:
            api.batches.create(
                input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
            )
            told += 1
        except openai.APIConnectionError:
            pass
    listed = None
    while listed is None:
        try:
            listed = len(api.batches.list(limit=100).data)
        except openai.APIConnectionError:
            listed = None
    assert 0 < told < listed == 20


def test_the_plain_shape_creates_a_job_once_for_a_key(start: Callable[..., str]) -> None:
    address = start(seconds=0)
    form = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="x.jsonl"\r\n'
        b"Content-Type: application/jsonl\r\n\r\n"
        b'{"custom_id": "a", "input": 7}\n\r\n--b--\r\n'
    )
    headers = {"Content-Type": "multipart/form-data; boundary=b", "Idempotency-Key": "k"}
    ids = set()
    for _ in range(2):
        request = urllib.request.Request(
            address + "/ml/api/batch_predict", data=form, headers=headers
        )
        with urllib.request.urlopen(request) as answer:
            ids.add(json.load(answer)["id"])
    assert len(ids) == 1
    with urllib.request.urlopen(address + "/ml/api/batch/status/" + ids.pop()) as answer:
        status = json.load(answer)
    assert status["status"] == "completed"
    with urllib.request.urlopen(address + status["results_url"]) as answer:
        assert json.loads(answer.read()) == {"custom_id": "a", "output": 7}


def test_an_unknown_fault_is_refused() -> None:
    with pytest.raises(ValueError, match="no fault named 'http_418'"):
        stub.serve(faults={"http_418": 1})
