"""The manifests fit the schema of Flink's operator, name options that Flink has, and agree."""

import shlex
import sys
import zipfile
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from pyflink.java_gateway import get_gateway
from pyflink_async_batch.sidecar import _command_line

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy" / "kubernetes"
MANIFESTS = ["sidecar.yaml", "worker.yaml"]
OPERATOR_JAR = ROOT / "target" / "flink-jars" / "flink-kubernetes-operator-api.jar"
SCHEMA = "META-INF/fabric8/flinkdeployments.flink.apache.org-v1.yml"

# Where Flink keeps the options that deployments name.
OPTION_CLASSES = [
    "org.apache.flink.configuration.TaskManagerOptions",
    "org.apache.flink.configuration.CheckpointingOptions",
    "org.apache.flink.configuration.HighAvailabilityOptions",
    "org.apache.flink.configuration.RestartStrategyOptions",
    "org.apache.flink.configuration.ExternalResourceOptions",
    "org.apache.flink.kubernetes.configuration.KubernetesConfigOptions",
    "org.apache.flink.python.PythonOptions",
]


def manifest(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text(encoding="utf-8"))


def schema() -> Any:
    """The operator's, in which a field that it does not name is an error and not dropped."""
    if not OPERATOR_JAR.exists():
        pytest.skip("Flink's operator is not there: make .venv/.stamps/flink-jars")
    with zipfile.ZipFile(OPERATOR_JAR) as jar:
        definition = yaml.safe_load(jar.read(SCHEMA))
    (version,) = [each for each in definition["spec"]["versions"] if each["name"] == "v1beta1"]
    root = version["schema"]["openAPIV3Schema"]
    root["properties"].update({name: {"type": "string"} for name in ("apiVersion", "kind")})
    root["properties"]["metadata"] = {"type": "object"}
    _close(root)
    return root


def _close(node: Any) -> None:
    if isinstance(node, list):
        for each in node:
            _close(each)
    elif isinstance(node, dict):
        properties = node.get("properties")
        if isinstance(properties, dict) and properties:
            node.setdefault("additionalProperties", False)
        if node.pop("x-kubernetes-int-or-string", False):
            node["type"] = ["integer", "string"]
        for each in node.values():
            _close(each)


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_fits_the_operators_schema(name: str) -> None:
    deployment = manifest(name)
    assert deployment["spec"]["flinkVersion"] == "v2_3"
    # The schema is older than Flink 2, and everything else in it is as it was.
    deployment["spec"]["flinkVersion"] = "v1_20"
    jsonschema.validate(deployment, schema())


def test_the_schema_notices_a_typing_error() -> None:
    deployment = manifest("sidecar.yaml")
    deployment["spec"]["flinkVersion"] = "v1_20"
    pod = deployment["spec"]["taskManager"]["podTemplate"]["spec"]
    pod["initContainers"][0]["volumeMount"] = []
    with pytest.raises(jsonschema.ValidationError, match="volumeMount"):
        jsonschema.validate(deployment, schema())


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_names_options_of_flink(name: str) -> None:
    known = _options()
    for key in manifest(name)["spec"]["flinkConfiguration"]:
        # The name of a resource is the user's.
        assert key.replace("external-resource.gpu.", "external-resource.<resource_name>.") in known


def _options() -> set[str]:
    jvm = get_gateway().jvm
    loader = jvm.java.lang.Thread.currentThread().getContextClassLoader()
    option = jvm.java.lang.Class.forName("org.apache.flink.configuration.ConfigOption")
    known = {"external-resource.<resource_name>.driver-factory.class"}
    for name in OPTION_CLASSES:
        for field in jvm.java.lang.Class.forName(name, True, loader).getFields():
            if field.getType().equals(option):
                known.add(str(field.get(None).key()))
    return known


def test_the_sidecar_is_called_as_its_command_line_wants() -> None:
    (model,) = _pod()["initContainers"]
    assert model["command"][1:] == ["-m", "pyflink_async_batch.sidecar"]
    options = _command_line.parser().parse_args(model["args"])
    assert options.endpoint == [_argument("--endpoint")]


def test_both_containers_see_the_socket_and_the_shared_memory() -> None:
    (model,) = _pod()["initContainers"]
    (flink,) = _pod()["containers"]
    assert flink["name"] == "flink-main-container"
    assert model["volumeMounts"] == flink["volumeMounts"]
    paths = [mount["mountPath"] for mount in flink["volumeMounts"]]
    assert "/dev/shm" in paths
    assert any(_argument("--endpoint").startswith(f"unix://{path}/") for path in paths)


def test_the_image_holds_what_the_manifest_starts() -> None:
    dockerfile = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    copied = [shlex.split(line)[1:] for line in dockerfile.splitlines() if line.startswith("COPY")]
    sources = [source for line in copied for source in line[:-1]]
    held = {f"{line[-1]}{Path(source).name}" for line in copied for source in line[:-1]}
    assert {"/opt/job/job.py", "/opt/models/digit_reader.py"} <= held
    assert "/opt/models/model.onnx" in held
    in_the_checkout = [each for each in sources if not each.startswith(("dist/", "target/"))]
    assert [each for each in in_the_checkout if not (ROOT / each).exists()] == []


def test_the_job_builds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from pyflink.datastream import StreamExecutionEnvironment

    executed = []
    monkeypatch.setattr(
        StreamExecutionEnvironment,
        "execute",
        lambda environment, name: executed.append(environment.get_execution_plan()),
    )
    monkeypatch.syspath_prepend(str(DEPLOY))
    monkeypatch.setattr(
        sys, "argv", ["job.py", "--input", f"file://{tmp_path}", "--endpoint", "unix:///run/x.sock"]
    )
    import job

    job.main()
    (plan,) = executed
    assert "async batch" in plan


def _pod() -> Any:
    return manifest("sidecar.yaml")["spec"]["taskManager"]["podTemplate"]["spec"]


def _argument(name: str) -> str:
    arguments = manifest("sidecar.yaml")["spec"]["job"]["args"]
    return str(arguments[arguments.index(name) + 1])
