"""The Kubernetes files are valid, agree with the container files, and set only variables that the product reads."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.test_containers import DOCKERFILE, OURS, SERVICES, known_to_the_product

FOLDER = Path(__file__).resolve().parents[1] / "deploy" / "kubernetes"
TOOLS = Path(sys.executable).parent


@pytest.fixture(scope="module", params=["", "gpu"], ids=["processors", "gpu"])
def manifest(request) -> str:
    command = [str(TOOLS / "kubectl"), "kustomize", str(FOLDER / request.param)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.fixture(scope="module")
def resources(manifest: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(manifest))


def pods(resources: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The pod templates by the name of their workload."""
    found = [resource for resource in resources if resource["kind"] in ("Deployment", "Job")]
    return {resource["metadata"]["name"].removeprefix("brainscan-"): resource["spec"]["template"] for resource in found}


def test_the_manifest_is_valid(manifest: str, tmp_path: Path):
    (tmp_path / "all.yaml").write_text(manifest)
    command = [str(TOOLS / "kubernetes-validate"), "--strict", str(tmp_path / "all.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_service_of_the_compose_file_has_a_workload(resources):
    assert set(pods(resources)) | {"gpu-worker"} == set(OURS)


def test_every_variable_is_one_that_the_product_reads(resources):
    [settings] = [resource["data"] for resource in resources if resource["kind"] == "ConfigMap"]
    own = {
        variable["name"]
        for pod in pods(resources).values()
        for container in pod["spec"]["containers"]
        for variable in container.get("env", [])
    }
    assert set(settings) | own <= known_to_the_product()
    assert not {"SECRET_KEY", "DATABASE_URL", "REDIS_URL"} & set(settings)


def test_pods_run_without_rights_and_write_only_to_volumes(resources):
    for name, pod in pods(resources).items():
        assert pod["spec"]["securityContext"]["runAsNonRoot"] is True, name
        assert f"USER {pod['spec']['securityContext']['runAsUser']}:" in DOCKERFILE
        assert pod["spec"]["automountServiceAccountToken"] is False
        for container in [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["limits"]["memory"]


def test_processes_wait_for_the_migrations_and_have_probes(resources):
    for name, pod in pods(resources).items():
        if name == "migrate":
            continue
        [waiting] = pod["spec"]["initContainers"]
        assert waiting["command"] == ["python", "manage.py", "migrate", "--check"]
        assert "livenessProbe" in pod["spec"]["containers"][0]
        grace = SERVICES[name]["stop_grace_period"]
        assert f"{pod['spec']['terminationGracePeriodSeconds']}s" == grace


def test_there_is_exactly_one_beat(resources):
    [beat] = [resource for resource in resources if resource["metadata"]["name"] == "brainscan-beat"]
    assert beat["spec"]["replicas"] == 1
    assert beat["spec"]["strategy"] == {"type": "Recreate"}


def test_the_autoscaler_reads_a_metric_that_is_served(resources, client, db):
    [scaler] = [resource for resource in resources if resource["kind"] == "HorizontalPodAutoscaler"]
    metric = scaler["spec"]["metrics"][0]["external"]["metric"]
    served = client.get("/metrics", REMOTE_ADDR="127.0.0.1").content.decode()
    [(label, value)] = metric["selector"]["matchLabels"].items()
    assert f'{metric["name"]}{{{label}="{value}"}}' in served
