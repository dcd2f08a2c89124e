"""Health, metadata, errors and load, over a Unix socket."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Dict

import grpc
import numpy as np
import pytest
from pyflink_async_batch._proto import open_inference_pb2 as pb
from sidecar_process import as_bytes, asked_sidecar, infer_request, sidecar, stub_of, wait_for

ONE = np.array([1], "<i8").tobytes()


def error_of(call: Any) -> Any:
    with pytest.raises(grpc.RpcError) as raised:
        call()
    return raised.value


def trailers(call: Any) -> Dict[str, str]:
    return dict(call.trailing_metadata())


def test_health_is_answered_while_the_model_opens(directory: Path) -> None:
    gate = directory / "gate"
    arguments = ("--model-arg", f'gate="{gate}"')
    with sidecar(directory, "models:Slow", *arguments) as server, stub_of(server.endpoint) as stub:
        server.listens()
        assert stub.ServerLive(pb.ServerLiveRequest()).live
        assert not stub.ServerReady(pb.ServerReadyRequest()).ready
        assert not stub.ModelReady(pb.ModelReadyRequest(name="Slow")).ready
        request = infer_request("Slow", ("x", "INT64", [1], ONE))
        error = error_of(lambda: stub.ModelInfer(request))
        assert error.code() == grpc.StatusCode.UNAVAILABLE
        assert trailers(error)["asyncbatch-error"] == "UNAVAILABLE"
        gate.touch()
        server.ready()
        assert stub.ServerReady(pb.ServerReadyRequest()).ready
        assert stub.ModelReady(pb.ModelReadyRequest(name="Slow")).ready
        assert stub.ModelReady(pb.ModelReadyRequest(name="Slow", version="1")).ready
        assert not stub.ModelReady(pb.ModelReadyRequest(name="Slow", version="2")).ready
        assert not stub.ModelReady(pb.ModelReadyRequest(name="Other")).ready


def test_a_model_that_cannot_be_opened_ends_the_server(directory: Path) -> None:
    with sidecar(directory, "models:FailsToOpen") as server:
        assert server.process.wait(60) == 1
        assert "no weights" in server.log
        assert not (directory / "s").exists()


def test_metadata(directory: Path) -> None:
    with (
        sidecar(
            directory, "models:Describe", "--model-name", "d", "--model-version", "7"
        ) as server,
        stub_of(server.ready().endpoint) as stub,
    ):
        metadata = stub.ServerMetadata(pb.ServerMetadataRequest())
        assert metadata.name == "pyflink_async_batch"
        assert list(metadata.extensions) == ["system_shared_memory"]
        model = stub.ModelMetadata(pb.ModelMetadataRequest(name="d"))
        assert (model.name, list(model.versions)) == ("d", ["7"])
        assert [(t.name, t.datatype, list(t.shape)) for t in model.inputs] == [
            ("name", "BYTES", [-1]),
            ("vector", "INT32", [-1, -1]),
            ("flag", "BOOL", [-1]),
        ]
        assert [t.name for t in model.outputs] == ["text", "sum"]


def test_requests_that_do_not_fit_are_refused(directory: Path) -> None:
    name = ("name", "BYTES", [1], as_bytes([b"a"]))
    vector = ("vector", "INT32", [1, 2], bytes(8))
    flag = ("flag", "BOOL", [1], b"\1")
    refused = [
        ([name, vector], "inputs ['flag'] are missing"),
        ([name, vector, flag, ("more", "BOOL", [1], b"\1")], "there is no input 'more'"),
        ([name, name, vector, flag], "input 'name' is there twice"),
        ([name, ("vector", "INT64", [1, 1], bytes(8)), flag], "must be of INT32, got INT64"),
        ([name, ("vector", "INT32", [1], bytes(4)), flag], "shape [-1, -1] with positive"),
        ([name, ("vector", "INT32", [1, -2], b""), flag], "shape [-1, -1] with positive"),
        ([name, ("vector", "INT32", [1, 2**62], bytes(8)), flag], "bytes, got 8"),
        ([name, ("vector", "INT32", [1, 2], bytes(7)), flag], "must have 8 bytes, got 7"),
        ([name, vector, ("flag", "BOOL", [2], b"\1\1")], "equally many rows, got [1, 2]"),
        ([("name", "BYTES", [1], b"\4\0\0\0abc"), vector, flag], "exactly 1 elements of BYTES"),
        ([("name", "BYTES", [1], b"\xff" * 4), vector, flag], "exactly 1 elements of BYTES"),
        ([("name", "BYTES", [1], as_bytes([b"a", b"b"])), vector, flag], "exactly 1 elements"),
        ([("name", "BYTES", [1], as_bytes([b"\xff"])), vector, flag], "text in UTF-8"),
    ]
    with asked_sidecar(directory, "models:Describe") as (_, stub):
        for tensors, complaint in refused:
            request = infer_request("Describe", *tensors)
            error = error_of(lambda request=request: stub.ModelInfer(request))
            assert error.code() == grpc.StatusCode.INVALID_ARGUMENT, complaint
            assert complaint in error.details()
            assert trailers(error)["asyncbatch-error"] == "INVALID_TENSOR"
        request = infer_request("Describe", name, vector, flag)
        request.raw_input_contents.append(b"x")
        assert "more raw contents" in error_of(lambda: stub.ModelInfer(request)).details()
        del request.raw_input_contents[-2:]
        assert "'flag' has no raw contents" in error_of(lambda: stub.ModelInfer(request)).details()
        request = infer_request("Describe", name, vector, flag)
        request.outputs.add(name="more")
        assert "there is no output 'more'" in error_of(lambda: stub.ModelInfer(request)).details()


def test_typed_contents(directory: Path) -> None:
    with asked_sidecar(directory, "models:Describe") as (_, stub):
        request = pb.ModelInferRequest(model_name="Describe")
        request.inputs.add(name="name", datatype="BYTES", shape=[1]).contents.bytes_contents.append(
            b"a"
        )
        vector = request.inputs.add(name="vector", datatype="INT32", shape=[1, 2])
        vector.contents.int_contents.extend([3, 4])
        request.inputs.add(name="flag", datatype="BOOL", shape=[1]).contents.bool_contents.append(
            True
        )
        request.outputs.add(name="sum")
        (total,) = stub.ModelInfer(request).raw_output_contents
        assert np.frombuffer(total, "<i8").tolist() == [7]
        vector.contents.int_contents.pop()
        assert "2 values in int_contents" in error_of(lambda: stub.ModelInfer(request)).details()


@pytest.mark.parametrize(("name", "version"), [("Other", ""), ("Double", "2")])
def test_another_model_or_version(directory: Path, name: str, version: str) -> None:
    with asked_sidecar(directory, "models:Double") as (_, stub):
        request = infer_request(name, ("x", "FP32", [1], bytes(4)), model_version=version)
        error = error_of(lambda: stub.ModelInfer(request))
        assert error.code() == grpc.StatusCode.NOT_FOUND
        assert trailers(error)["asyncbatch-error"] == "MODEL_NOT_FOUND"


@pytest.mark.parametrize(
    ("raised", "code", "kind"),
    [
        ("ValueError", grpc.StatusCode.INTERNAL, "INTERNAL"),
        ("SystemExit", grpc.StatusCode.INTERNAL, "INTERNAL"),
        ("CancelledError", grpc.StatusCode.INTERNAL, "INTERNAL"),
        ("MemoryError", grpc.StatusCode.RESOURCE_EXHAUSTED, "OUT_OF_MEMORY"),
        ("OutOfMemoryError", grpc.StatusCode.RESOURCE_EXHAUSTED, "OUT_OF_MEMORY"),
    ],
)
def test_failures_of_the_function(directory: Path, raised: str, code: Any, kind: str) -> None:
    argument = ("--model-arg", f'error="{raised}"')
    with asked_sidecar(directory, "models:Raises", *argument) as (_, stub):
        request = infer_request("Raises", ("x", "INT64", [1], ONE))
        error = error_of(lambda: stub.ModelInfer(request))
        assert error.code() == code
        assert trailers(error)["asyncbatch-error"] == kind
        assert error.details().startswith(f"{raised}: boom \N{SNOWMAN}")
        assert len(error.details()) == 512
        assert "Traceback" not in error.details()
        # It goes on.
        assert stub.ServerReady(pb.ServerReadyRequest()).ready


def test_a_function_that_has_too_much_to_do_says_when_to_come_back(directory: Path) -> None:
    with asked_sidecar(directory, "models:Busy") as (_, stub):
        request = infer_request("Busy", ("x", "INT64", [1], ONE))
        error = error_of(lambda: stub.ModelInfer(request))
        assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert trailers(error)["asyncbatch-error"] == "OVERLOADED"
        assert trailers(error)["grpc-retry-pushback-ms"] == "2500"
        assert stub.ServerReady(pb.ServerReadyRequest()).ready


@pytest.mark.parametrize(
    ("results", "complaint"),
    [
        ("None", "cannot be none"),
        ("[]", "2 inputs, but has 0"),
        ("[1, None]", "must be INT64"),
        ("[1, 1.5]", "must be INT64, got float64"),
        ("[1, True]", "must be INT64, got bool"),
        ("[1, 2**63]", "must be INT64"),
        ("['a', 'b']", "must be INT64"),
        ("[[1], [2]]", "must have shape [-1], got [2, 1]"),
        ("[[1], [2, 3]]", "different shapes"),
    ],
)
def test_results_that_do_not_fit(directory: Path, results: str, complaint: str) -> None:
    argument = ("--model-arg", f'results="{results}"')
    with asked_sidecar(directory, "models:Returns", *argument) as (_, stub):
        request = infer_request("Returns", ("x", "INT64", [2], 2 * ONE))
        error = error_of(lambda: stub.ModelInfer(request))
        assert error.code() == grpc.StatusCode.INTERNAL
        assert complaint in error.details()


class Held:
    """A server whose model holds its batches until it is told to let them go."""

    def __init__(self, directory: Path) -> None:
        self._gate = directory / "gate"
        self._seen = directory / "seen"
        self.arguments = (
            "models:Held",
            *("--model-arg", f'gate="{self._gate}"', "--model-arg", f'seen="{self._seen}"'),
        )

    def seen(self) -> Any:
        """The batches that the function was given: rows, or the word 'cancelled'."""
        return self._seen.read_text().split() if self._seen.exists() else []

    def let_go(self) -> None:
        self._gate.touch()


def load_of(stub: Any) -> Dict[str, int]:
    _, call = stub.ServerReady.with_call(pb.ServerReadyRequest())
    pairs = (pair.split("=") for pair in trailers(call)["asyncbatch-load"].split(","))
    return {name: int(value) for name, value in pairs}


def send(stub: Any, rows: int = 1, client: str = "a", **options: Any) -> Any:
    request = infer_request("Held", ("x", "INT64", [rows], rows * ONE))
    request.parameters["client_id"].string_param = client
    return stub.ModelInfer.future(request, **options)


NAMED_A = (("asyncbatch-client", "a"),)

LIMITS = (
    *("--max-batch-size", "4", "--max-concurrent-batches", "1"),
    *("--max-queue-rows", "4"),
)


def test_a_full_queue_refuses_with_the_time_to_come_back(directory: Path) -> None:
    held = Held(directory)
    with asked_sidecar(directory, *held.arguments, *LIMITS) as (_, stub):
        running = send(stub, rows=4)
        wait_for(lambda: load_of(stub)["in_flight_rows"] == 4)
        earlier = send(stub, rows=2)
        wait_for(lambda: load_of(stub)["queued_rows"] == 2)
        waiting = send(stub, rows=2)
        wait_for(lambda: load_of(stub)["queued_rows"] == 4)
        refused = error_of(send(stub, rows=1).result)
        assert refused.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert trailers(refused)["asyncbatch-error"] == "OVERLOADED"
        assert int(trailers(refused)["grpc-retry-pushback-ms"]) > 0
        assert "queued_rows=4" in trailers(refused)["asyncbatch-load"]
        # Another client, that has nothing in it, displaces the one that fills it.
        modest = send(stub, client="b")
        assert error_of(waiting.result).code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        held.let_go()
        assert len(running.result().raw_output_contents) == 1
        assert earlier.result().outputs[0].shape == [2]
        assert modest.result().outputs[0].shape == [1]


def test_a_header_tells_clients_apart(directory: Path) -> None:
    held = Held(directory)
    with asked_sidecar(directory, *held.arguments, *LIMITS) as (_, stub):
        running = send(stub, rows=4, client="")
        wait_for(lambda: load_of(stub)["in_flight_rows"] == 4)
        waiting = [send(stub, rows=2, client="", metadata=NAMED_A) for _ in range(2)]
        wait_for(lambda: load_of(stub)["queued_rows"] == 4)
        # The same client has no more room, another has.
        same = send(stub, rows=1, client="", metadata=NAMED_A)
        assert error_of(same.result).code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        other = send(stub, rows=1, client="", metadata=(("asyncbatch-client", "b"),))
        assert error_of(waiting[1].result).code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        held.let_go()
        assert other.result().outputs[0].shape == [1]
        assert running.result().outputs[0].shape == [4]
        assert waiting[0].result().outputs[0].shape == [2]


def test_a_request_with_more_rows_than_a_batch_is_refused(directory: Path) -> None:
    held = Held(directory)
    with asked_sidecar(directory, *held.arguments, *LIMITS) as (_, stub):
        error = error_of(send(stub, rows=5).result)
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert "1 to 4 rows, got 5" in error.details()


def test_rows_of_clients_that_give_up_are_not_run(directory: Path) -> None:
    held = Held(directory)
    with asked_sidecar(directory, *held.arguments, *LIMITS) as (_, stub):
        running = send(stub, rows=3)
        wait_for(lambda: held.seen() == ["3"])
        cancelled = send(stub, rows=1)
        late = send(stub, rows=2, timeout=0.2)
        wait_for(lambda: load_of(stub)["queued_rows"] == 3)
        cancelled.cancel()
        assert error_of(late.result).code() == grpc.StatusCode.DEADLINE_EXCEEDED
        wait_for(lambda: load_of(stub)["queued_rows"] == 0)
        # The coroutine of a batch that nobody wants is cancelled.
        running.cancel()
        wait_for(lambda: held.seen() == ["3", "cancelled"])
        held.let_go()
        assert send(stub).result().outputs[0].shape == [1]
        assert held.seen() == ["3", "cancelled", "1"]


def test_the_timeout_that_a_request_names(directory: Path) -> None:
    held = Held(directory)
    with asked_sidecar(directory, *held.arguments) as (_, stub):
        request = infer_request("Held", ("x", "INT64", [1], ONE))
        request.parameters["timeout"].int64_param = 50_000
        error = error_of(lambda: stub.ModelInfer(request))
        assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        assert trailers(error)["asyncbatch-error"] == "DEADLINE_EXCEEDED"


def test_requests_of_several_clients_share_a_batch(directory: Path) -> None:
    held = Held(directory)
    pool = ThreadPoolExecutor()
    with asked_sidecar(directory, *held.arguments, *LIMITS) as (server, stub), pool:
        first = send(stub)
        wait_for(lambda: held.seen() == ["1"])

        def ask(value: int) -> Any:
            with stub_of(server.endpoint) as own:
                data = np.array([value], "<i8").tobytes()
                request = infer_request("Held", ("x", "INT64", [1], data))
                return np.frombuffer(own.ModelInfer(request).raw_output_contents[0], "<i8")[0]

        answers = [pool.submit(ask, value) for value in range(4)]
        wait_for(lambda: load_of(stub)["queued_rows"] == 4)
        held.let_go()
        first.result()
        assert [answer.result() for answer in answers] == [0, 1, 2, 3]
        assert held.seen() == ["1", "4"]


def test_a_function_that_blocks_does_not_block_the_server(directory: Path) -> None:
    held = Held(directory)
    with asked_sidecar(directory, *held.arguments, "--model-arg", "blocks=true") as (_, stub):
        running = send(stub)
        wait_for(lambda: held.seen() == ["1"])
        assert stub.ServerLive(pb.ServerLiveRequest()).live
        assert load_of(stub)["in_flight_rows"] == 1
        held.let_go()
        running.result()


def test_an_event_loop_that_user_code_ends_ends_the_server(directory: Path) -> None:
    with asked_sidecar(directory, "models:EndsItsLoop") as (server, stub):
        request = infer_request("EndsItsLoop", ("x", "INT64", [1], ONE))
        assert error_of(lambda: stub.ModelInfer(request)).code() in (
            grpc.StatusCode.UNAVAILABLE,
            grpc.StatusCode.CANCELLED,
        )
        assert server.process.wait(60) == 1


def test_importing_the_sidecar_starts_no_jvm(directory: Path) -> None:
    with sidecar(directory, "models:Double") as server:
        server.ready()
        import psutil

        assert psutil.Process(server.pid).children(recursive=True) == []


def test_faults_happen_to_the_calls_that_they_are_for(directory: Path) -> None:
    faults = ["OVERLOADED:250@1", "id@2", "shape@3-4", "UNAVAILABLE@6-"]
    with asked_sidecar(directory, "models:Double", faults=faults) as (_, stub):
        request = infer_request("Double", ("x", "FP32", [2], bytes(8)), id="a")
        error = error_of(lambda: stub.ModelInfer(request))
        assert trailers(error)["grpc-retry-pushback-ms"] == "250"
        assert stub.ModelInfer(request).id == "not-a"
        assert stub.ModelInfer(request).outputs[0].shape == [1]
        assert stub.ModelInfer(request).outputs[0].shape == [1]
        assert stub.ModelInfer(request).outputs[0].shape == [2]
        assert error_of(lambda: stub.ModelInfer(request)).details() == "injected"


def test_a_request_that_unpacks_to_too_much_is_not_taken(directory: Path) -> None:
    """Sixteen megabytes of zeros are sixteen kilobytes on the wire."""
    zeros = bytes(16 * 1024 * 1024)
    request = infer_request("Double", ("x", "FP32", [len(zeros) // 4], zeros))
    arguments = ("--max-message-bytes", str(1024 * 1024))
    with asked_sidecar(directory, "models:Double", *arguments) as (_, stub):
        error = error_of(lambda: stub.ModelInfer(request, compression=grpc.Compression.Gzip))
        assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        fits = infer_request("Double", ("x", "FP32", [1], bytes(4)))
        assert stub.ModelInfer(fits, compression=grpc.Compression.Gzip).outputs
