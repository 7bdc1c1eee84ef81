"""What is in deploy/ is accepted by the schemas of Kubernetes and Compose, and says what the server takes."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from reward_server.config import read
from tests.conftest import ROOT, missing

MANIFESTS = sorted((ROOT / "deploy" / "kubernetes").glob("*.yaml"))
KUSTOMIZATION = "kustomization.yaml"
OLDEST, NEWEST = "1.32", "1.37"  # the sleep hook before the end of a container is on by default since 1.30


def load(file: Path) -> dict[str, Any]:
    return yaml.safe_load(file.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def manifests() -> dict[str, dict[str, Any]]:
    return {each["kind"]: each for each in map(load, MANIFESTS) if each["kind"] != "Kustomization"}


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize(
    "file", [each for each in MANIFESTS if each.name != KUSTOMIZATION], ids=lambda f: f.stem
)
@pytest.mark.filterwarnings("ignore")
def test_kubernetes_accepts_a_manifest(file: Path, version: str) -> None:
    if importlib.util.find_spec("kubernetes_validate") is None:
        missing("kubernetes-validate is not installed: make interop")
    import kubernetes_validate

    kubernetes_validate.validate(load(file), version, strict=True)


@pytest.mark.filterwarnings("ignore")
def test_a_misspelt_field_is_not_accepted() -> None:
    """The validator is strict, so the test above can fail."""
    if importlib.util.find_spec("kubernetes_validate") is None:
        missing("kubernetes-validate is not installed: make interop")
    import kubernetes_validate

    manifest = load(ROOT / "deploy" / "kubernetes" / "service.yaml")
    manifest["spec"]["clusterIPP"] = "None"

    with pytest.raises(kubernetes_validate.ValidationError, match="clusterIPP"):
        kubernetes_validate.validate(manifest, NEWEST, strict=True)


def test_every_manifest_is_applied() -> None:
    listed = load(ROOT / "deploy" / "kubernetes" / KUSTOMIZATION)["resources"]

    assert sorted([*listed, KUSTOMIZATION]) == [each.name for each in MANIFESTS]


def test_selectors_ports_and_targets_meet(manifests: dict[str, dict[str, Any]]) -> None:
    pod = manifests["Deployment"]["spec"]["template"]
    labels = pod["metadata"]["labels"]
    ports = {each["name"] for each in pod["spec"]["containers"][0]["ports"]}

    assert manifests["Service"]["spec"]["selector"] == labels
    assert manifests["Service"]["spec"]["clusterIP"] == "None", "round_robin needs the pods' own addresses"
    assert manifests["Service"]["spec"]["ports"][0]["targetPort"] in ports
    assert manifests["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"] == labels
    assert manifests["NetworkPolicy"]["spec"]["ingress"][0]["ports"][0]["port"] in ports
    assert manifests["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    assert manifests["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"] == "rewards"


def test_a_pod_has_time_to_drain(manifests: dict[str, dict[str, Any]]) -> None:
    pod = manifests["Deployment"]["spec"]["template"]["spec"]
    container = pod["containers"][0]
    pause_s = container["lifecycle"]["preStop"]["sleep"]["seconds"]

    assert pod["terminationGracePeriodSeconds"] > pause_s + read(container["args"]).drain_s


def test_a_pod_runs_as_much_at_once_as_it_has_cpus_and_memory_for(
    manifests: dict[str, dict[str, Any]],
) -> None:
    container = manifests["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    queues, requests = read(container["args"]).queues, container["resources"]["requests"]

    assert queues.programs == queues.workers == int(requests["cpu"])
    assert int(requests["memory"].removesuffix("Gi")) * 1024 >= queues.programs * 512


def test_compose_accepts_the_file() -> None:
    import jsonschema

    package = importlib.util.find_spec("check_jsonschema")
    if package is None or package.submodule_search_locations is None:
        missing("check-jsonschema, which brings the Compose schema, is not installed: make interop")
        return
    folder = Path(package.submodule_search_locations[0], "builtin_schemas", "vendor")
    schema = json.loads((folder / "compose-spec.json").read_text(encoding="utf-8"))

    jsonschema.validate(load(ROOT / "deploy" / "compose.yaml"), schema)


def test_the_replicas_of_compose_start_with_flags_that_the_server_knows() -> None:
    services = load(ROOT / "deploy" / "compose.yaml")["services"]
    configs = [read(service["command"]) for service in services.values()]

    assert [config.sandbox for config in configs] == ["docker", "docker"]
    assert all(int(service["stop_grace_period"].rstrip("s")) > 30 for service in services.values())


def test_what_the_image_copies_is_there_and_is_all_of_the_wheel() -> None:
    lines = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8").splitlines()
    copied = [
        word
        for line in lines
        if line.startswith("COPY ") and "--from" not in line
        for word in line.split()[1:-1]
    ]
    packages = {"reward_client", "reward_server", "sandbox", "tasks", "policy", "trainer", "evals", "proto"}

    assert all((ROOT / path).exists() for path in copied)
    assert packages <= set(copied)
