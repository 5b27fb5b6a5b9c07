"""The files that TensorFlow Serving is deployed with, which nothing here can run."""

import json
import re
from pathlib import Path

import pytest
import yaml

from tfgantl.export.deployment import write_deployment

# Those of tensorflow_model_server that the files use.
FLAGS = {
    "port", "rest_api_port", "model_config_file", "model_config_file_poll_wait_seconds", "enable_batching",
    "batching_parameters_file", "monitoring_config_file", "enable_profiler", "enable_grpc_healthcheck_service",
}  # fmt: skip


@pytest.mark.parametrize("name", ["My.model_1", "7_digits", "a" * 62 + "_b"])
def test_deployments_fit_the_schemas_of_docker_compose_and_kubernetes(tmp_path, name):
    """The schemas allow no fields that they do not know; what refers to one another is checked here."""
    jsonschema = pytest.importorskip("jsonschema", reason="pip install 'tfgantl[dev]'")
    (tmp_path / name).mkdir()
    deploy = write_deployment(tmp_path / name)
    documents = {}
    for kind in ("compose", "kubernetes"):
        schema = json.loads((Path(__file__).parent / "golden" / f"{kind}.schema.json").read_text())
        documents[kind] = list(yaml.safe_load_all((deploy / f"{kind}.yaml").read_text()))
        for document in documents[kind]:
            jsonschema.validate(document, schema, jsonschema.Draft202012Validator)
    (compose,), (deployment, service) = documents["compose"], documents["kubernetes"]
    local, pod = compose["services"]["serving"], deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    for arguments in (local["command"], container["args"]):
        flags = dict(argument.removeprefix("--").partition("=")[::2] for argument in arguments)
        assert set(flags) <= FLAGS and flags["enable_profiler"] == "false" and flags["enable_batching"] == ""
        for flag in ("model_config_file", "batching_parameters_file", "monitoring_config_file"):
            assert (tmp_path / Path(flags[flag]).relative_to("/models")).is_file()  # as the volume has it
    assert all(port.startswith("127.0.0.1:") for port in local["ports"]) and local["volumes"] == [
        f"..:/models/{name}:ro"
    ]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == service["spec"]["selector"] == labels
    for label in (deployment["metadata"]["name"], service["metadata"]["name"], labels["app"]):
        assert re.fullmatch(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", label)
    ports = {port["containerPort"] for port in container["ports"]}
    assert (
        {port["port"] for port in service["spec"]["ports"]}
        == ports
        == {int(flags["port"]), int(flags["rest_api_port"])}
    )
    assert container["readinessProbe"]["grpc"]["port"] in ports and "enable_grpc_healthcheck_service" in flags
    assert [mount["name"] for mount in container["volumeMounts"]] == [volume["name"] for volume in pod["volumes"]]
    assert container["image"] == local["image"] and local["read_only"]
    assert container["securityContext"]["readOnlyRootFilesystem"]


def test_models_of_names_that_kubernetes_does_not_have_are_apart(tmp_path):
    """`kubectl apply` of the second replaced the first; and `no` was the truth value."""
    found = []
    for name in ("digits-v1", "digits_v1", "Digits-v1", "no", "é"):
        (tmp_path / name).mkdir()
        page = (write_deployment(tmp_path / name) / "kubernetes.yaml").read_text()
        found.append(next(yaml.safe_load_all(page))["metadata"]["name"])
    assert len(set(found)) == 5 and found[0] == "digits-v1" and all(re.fullmatch(r"[a-z][a-z0-9-]+", x) for x in found)
