"""Compose file, image, Kubernetes objects, work pools and units: what they name of ours, and of Prefect, is there.

No container engine is asked for; `tests/acceptance/test_fleet.py` runs the same processes with the same settings.
"""

import importlib.util
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import typer
import yaml
from prefect.settings import Settings as PrefectServerSettings
from prefect.settings.legacy import _get_valid_setting_names
from prefect_aws.workers.ecs_worker import ECSJobConfiguration
from pydantic import BaseModel
from typer.core import TyperGroup as Group

from deployments.prefect_server import create_web_app
from deployments.worker.warm import READY_FILE
from octavo import __version__
from octavo.cli.app import app
from octavo.objects.embedded import storage_command
from octavo.settings import Settings
from scripts.system_packages import needs_of
from tests.acceptance.fleet import PREFECT_SERVER_ENV, read_env
from tests.architecture.checkout import ROOT

DEPLOYMENTS = ROOT / "deployments"
COMPOSE = yaml.safe_load((DEPLOYMENTS / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OBJECTS = [
    found
    for path in sorted((DEPLOYMENTS / "kubernetes").glob("*.yaml"))
    for found in yaml.safe_load_all(path.read_text())
]
POOLS = {path.name: json.loads(path.read_text()) for path in sorted(DEPLOYMENTS.glob("*-work-pool.json"))}
UNITS = sorted((DEPLOYMENTS / "systemd").glob("*.service"))
IMAGE = f"octavo:{__version__}"
LOOPBACK = re.compile(r"\$\{\w+_BIND:-127\.0\.0\.1\}:\$\{\w+:-\d+\}:\d+")
REDIS_SETTINGS = {"PREFECT_REDIS_MESSAGING_URL"}
"""Of prefect-redis, which keeps settings of its own."""


def octavo_settings() -> set[str]:
    """Return every environment variable that is a setting of ours."""
    found = {"OCTAVO_DATA"}
    for group, info in Settings.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            found |= {f"OCTAVO_{group}__{name}".upper() for name in info.annotation.model_fields}
    return found


KNOWN = octavo_settings() | _get_valid_setting_names(PrefectServerSettings) | REDIS_SETTINGS | {READY_FILE}


def documents() -> Iterator[tuple[str, str]]:
    """Yield name and text of every file here that sets an environment."""
    for path in sorted(DEPLOYMENTS.rglob("*")):
        if path.is_file() and path.suffix in {"", ".yaml", ".json", ".env", ".service"}:
            yield str(path.relative_to(DEPLOYMENTS)), path.read_text()


def of_kind(kind: str) -> dict[str, dict[str, Any]]:
    return {found["metadata"]["name"]: found for found in OBJECTS if found["kind"] == kind}


def container(of: dict[str, Any]) -> dict[str, Any]:
    (found,) = of["spec"]["template"]["spec"]["containers"]
    return cast(dict[str, Any], found)


def containers() -> list[dict[str, Any]]:
    return [container(found) for kind in ("Job", "Deployment", "StatefulSet") for found in of_kind(kind).values()]


def check_command(words: list[str]) -> None:
    """Fail unless this is a command that our image has."""
    words = words[2:] if words[:2] == ["tini", "--"] else words
    match words:
        case ["octavo", *rest]:
            check_octavo(rest)
        case ["python", "-m", module]:
            assert importlib.util.find_spec(module) is not None
        case ["sh", "-c", line]:
            check_command([word for word in shlex.split(line) if word != "exec" and "=" not in word])
        case ["uvicorn", "--factory", "deployments.prefect_server:create_web_app", *_]:
            assert callable(create_web_app)
        case ["prefect", "server", "services", "start"] | ["prefect", "server", "database", "upgrade", "-y"]:
            pass
        case _:
            pytest.fail(f"not a command of ours: {words}")


def check_octavo(words: list[str]) -> None:
    """Fail unless `octavo` knows this command with these options."""
    name, *rest = words
    command = cast(Group, typer.main.get_command(app)).commands[name]
    command.make_context(name, rest)


# All of it


def test_every_setting_that_is_named_exists() -> None:
    for name, text in documents():
        named = set(re.findall(r"\b(?:OCTAVO_[A-Z]+__[A-Z_]+|PREFECT_[A-Z_]+[A-Z])\b", text))
        # Variables of the compose file itself, which it hands on under the names of settings.
        own = {"PREFECT_UI_URL", "PREFECT_BIND", "PREFECT_PORTS", "PREFECT_LOGIN"}
        named -= own if name.startswith("compose") else set()
        assert named <= KNOWN, f"{name} names settings that are none: {named - KNOWN}"


def test_a_setting_that_is_misspelt_would_be_seen() -> None:
    assert "OCTAVO_WORKER__COUNT" in KNOWN
    assert not {"OCTAVO_WORKER__COUNTS", "PREFECT_SERVER_DOCKET"} & KNOWN


# compose


def test_the_compose_file_has_every_part_of_a_fleet() -> None:
    parts = {"postgres", "redis", "prefect", "prefect-services", "storage", "octavo", "worker"}
    assert parts <= set(SERVICES)
    for name, service in SERVICES.items():
        assert set(service.get("depends_on", [])) <= set(SERVICES), name
        mounted = {volume.partition(":")[0] for volume in service.get("volumes", [])}
        assert mounted <= set(COMPOSE["volumes"]), name


def test_commands_of_our_image_are_commands_it_has() -> None:
    for name, service in SERVICES.items():
        if service["image"] == IMAGE and name != "storage":
            check_command(service["command"])
            assert (DEPLOYMENTS / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
    for found in containers():
        assert found["image"] == IMAGE
        check_command(found["command"])


def test_the_placeholder_of_storage_is_served_as_the_embedded_one_is() -> None:
    wanted = storage_command(Path("rclone"), Path("/var/lib/octavo/objects"), addresses=[("", 9000)])
    assert SERVICES["storage"]["command"] == wanted


def test_workers_can_be_more_than_one_because_each_has_its_own_name() -> None:
    assert "OCTAVO_WORKER__NAME=$$HOSTNAME" in SERVICES["worker"]["command"][-1]
    assert "container_name" not in SERVICES["worker"]
    assert "ports" not in SERVICES["worker"]


def test_ports_are_published_on_loopback_unless_somebody_says_otherwise() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert set(published) == {"octavo", "storage", "prefect"}, "what clients and people need, and nothing else"
    for name, ports in published.items():
        assert all(LOOPBACK.fullmatch(port) for port in ports), name


def test_images_of_others_can_be_pinned_by_a_digest() -> None:
    example = (DEPLOYMENTS / "compose.env.example").read_text()
    howto = (ROOT / "docs/howto/run-a-fleet.md").read_text()
    compose, dockerfile = (DEPLOYMENTS / "compose.yaml").read_text(), (DEPLOYMENTS / "Dockerfile").read_text()
    foreign = {service["image"] for service in SERVICES.values()} - {IMAGE}
    pinnable = [re.fullmatch(r"\$\{(\w+_IMAGE):-([\w.:-]+)\}", image) for image in sorted(foreign)]
    assert all(pinnable), foreign
    (base,) = re.findall(r"^ARG PYTHON_IMAGE=(\S+)$", dockerfile, re.MULTILINE)
    assert re.findall(r"^FROM (.*)$", dockerfile, re.MULTILINE) == ["${PYTHON_IMAGE}"]
    assert f"PYTHON_IMAGE: ${{PYTHON_IMAGE:-{base}}}" in compose
    for variable, tag in [*(found.groups() for found in pinnable if found), ("PYTHON_IMAGE", base)]:
        assert ":" in tag
        assert f"#{variable}=" in example
        assert f"imagetools inspect {tag} " in howto


def test_every_variable_of_the_compose_file_is_one_that_the_example_or_the_file_explains() -> None:
    compose = (DEPLOYMENTS / "compose.yaml").read_text()
    told = (DEPLOYMENTS / "compose.env.example").read_text() + compose.partition("services:")[0]
    used = set(re.findall(r"\$\{(\w+):", compose)) - {"OCTAVO_PORT", "STORAGE_PORT", "OCTAVO_WORKER_SLOTS"}
    assert {name for name in used if name not in told} <= {"PREFECT_PORTS"}


def test_several_workers_on_one_machine_take_a_share_of_it_each() -> None:
    worker = SERVICES["worker"]
    assert (worker["cpus"], worker["mem_limit"]) == ("${OCTAVO_WORKER_CORES:-1}", "${OCTAVO_WORKER_MEMORY:-3g}")
    # A worker counts the cores of its container, unless this says how many.
    assert "OCTAVO_WORKER__PROCESSES" not in worker["environment"]
    assert "OCTAVO_WORKER__MEMORY_BYTES" not in worker["environment"]


def test_prefect_s_ui_calls_the_server_at_the_address_at_which_it_is_opened() -> None:
    (published,) = SERVICES["prefect"]["ports"]
    assert ":-4200}" in published
    ui = SERVICES["octavo"]["environment"]["OCTAVO_PREFECT__UI_URL"]
    assert SERVICES["prefect"]["environment"]["OCTAVO_PREFECT__UI_URL"] == ui
    assert read_env(PREFECT_SERVER_ENV)["PREFECT_SERVER_UI_API_URL"] == "/api"


def test_a_part_that_waits_for_another_is_not_taken_for_dead() -> None:
    # Either would be done for as long as Prefect or storage is away, and mends nothing.
    assert "/health" not in json.dumps(SERVICES["octavo"]["healthcheck"])
    assert "/health" not in json.dumps(container(of_kind("StatefulSet")["octavo"])["livenessProbe"])


def test_what_must_be_given_to_the_compose_file_is_in_the_example() -> None:
    example = (DEPLOYMENTS / "compose.env.example").read_text()
    must = set(re.findall(r"\$\{(\w+):\?\}", (DEPLOYMENTS / "compose.yaml").read_text()))
    assert must == {line.rstrip("=") for line in example.splitlines() if line.endswith("=")}


def test_every_process_of_prefect_s_server_has_the_settings_of_a_fleet() -> None:
    for name in ("prefect", "prefect-services", "prefect-migration"):
        assert SERVICES[name]["env_file"] == PREFECT_SERVER_ENV.name
        given = SERVICES[name]["environment"]
        assert {"PREFECT_SERVER_DATABASE_CONNECTION_URL", "PREFECT_REDIS_MESSAGING_URL"} <= set(given)
    settings = read_env(PREFECT_SERVER_ENV)
    modules = {value for value in settings.values() if "prefect_redis" in value}
    assert all(importlib.util.find_spec(module) is not None for module in modules)
    assert len(modules) == 3
    # Below 1 Prefect 3.8.8 spins a whole core.
    assert all(int(value) >= 1 for name, value in settings.items() if name.endswith("FLUSH_INTERVAL"))


def test_prefect_asks_for_a_login_and_every_client_of_it_has_one() -> None:
    for name in ("prefect", "prefect-services"):
        assert SERVICES[name]["environment"]["PREFECT_SERVER_API_AUTH_STRING"] == "${PREFECT_LOGIN:?}"
    assert SERVICES["octavo"]["environment"]["OCTAVO_PREFECT__AUTH_STRING"] == "${PREFECT_LOGIN:?}"
    assert SERVICES["worker"]["environment"]["PREFECT_API_AUTH_STRING"] == "${PREFECT_LOGIN:?}"
    given = {
        found["name"]: {variable["name"] for variable in found.get("env", [])}
        for found in containers()
        if found["name"] != "migration"
    }
    asks, has = "PREFECT_SERVER_API_AUTH_STRING", "PREFECT_API_AUTH_STRING"
    assert {asks in given["server"], asks in given["services"], has in given["worker"]} == {True}
    assert "OCTAVO_PREFECT__AUTH_STRING" in given["octavo"]


def test_prefect_is_known_by_the_name_at_which_it_is_reached() -> None:
    server = next(found for found in containers() if found["name"] == "server")
    hosts = [variable["value"] for variable in server["env"] if variable["name"] == "OCTAVO_PREFECT__HOSTS"]
    assert [json.loads(found) for found in hosts] == [["prefect"]]
    assert json.loads(SERVICES["prefect"]["environment"]["OCTAVO_PREFECT__HOSTS"]) == ["prefect"]


def test_the_image_has_the_programs_that_a_run_needs() -> None:
    image = (DEPLOYMENTS / "Dockerfile").read_text()
    for need in needs_of("run"):
        for package in need.apt:
            assert package in image.split() or "venv" in package
    for source in re.findall(r"^COPY (\S+) ", image, re.MULTILINE):
        assert (ROOT / source).exists()


# Kubernetes


def test_kubernetes_has_the_same_settings_for_prefect_s_server() -> None:
    assert of_kind("ConfigMap")["prefect-server"]["data"] == read_env(PREFECT_SERVER_ENV)


def test_what_kubernetes_objects_refer_to_is_there() -> None:
    keys = {(name, key) for name, secret in of_kind("Secret").items() for key in secret["stringData"]}
    for found in containers():
        for variable in found.get("env", []):
            reference = variable.get("valueFrom", {}).get("secretKeyRef")
            assert reference is None or (reference["name"], reference["key"]) in keys
        for source in found.get("envFrom", []):
            assert source["configMapRef"]["name"] in of_kind("ConfigMap")
    labels = [
        found["spec"]["template"]["metadata"]["labels"]
        for kind in ("Deployment", "StatefulSet")
        for found in of_kind(kind).values()
    ]
    for service in of_kind("Service").values():
        assert service["spec"]["selector"] in labels
    for budget in of_kind("PodDisruptionBudget").values():
        assert budget["spec"]["selector"]["matchLabels"] in labels


def test_the_ledger_has_one_owner_and_a_volume_of_its_own() -> None:
    spec = of_kind("StatefulSet")["octavo"]["spec"]
    assert spec["replicas"] == 1
    (volume,) = spec["volumeClaimTemplates"]
    assert volume["spec"]["accessModes"] == ["ReadWriteOncePod"]
    node = container(of_kind("StatefulSet")["octavo"])
    data = next(one["value"] for one in node["env"] if one["name"] == "OCTAVO_DATA")
    assert node["volumeMounts"] == [{"name": volume["metadata"]["name"], "mountPath": data}]
    # While Prefect is away /health is 503; a node taken out of the service for that would take no outcome either.
    assert "/health" not in json.dumps([node[probe] for probe in ("startupProbe", "readinessProbe", "livenessProbe")])


def test_every_object_can_be_applied_again() -> None:
    """A Job's template cannot be changed, so another version is another Job, and none stays when it has ended."""
    jobs = of_kind("Job")
    assert set(jobs) == {f"prefect-migration-{__version__.replace('.', '-')}"}
    assert all(job["spec"]["ttlSecondsAfterFinished"] > 0 for job in jobs.values())
    assert all("generateName" not in found["metadata"] for found in OBJECTS)


def test_every_worker_says_how_many_cores_and_how_much_memory_it_takes() -> None:
    node = container(of_kind("Deployment")["octavo-worker"])
    cores = node["resources"]["limits"].get("cpu") or node["resources"]["requests"]["cpu"]
    (processes,) = [one["value"] for one in node["env"] if one["name"] == "OCTAVO_WORKER__PROCESSES"]
    assert processes == cores
    assert "memory" in node["resources"]["limits"]


def test_a_worker_is_given_the_time_to_finish_its_document() -> None:
    longest = Settings().limits.document_seconds
    spec = of_kind("Deployment")["octavo-worker"]["spec"]["template"]["spec"]
    assert spec["terminationGracePeriodSeconds"] > longest
    name = next(one for one in container(of_kind("Deployment")["octavo-worker"])["env"] if one["name"].endswith("NAME"))
    assert name["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    assert int(SERVICES["worker"]["stop_grace_period"].removesuffix("m")) * 60 >= longest
    assert int(unit_lines(DEPLOYMENTS / "systemd" / "octavo-worker@.service")["TimeoutStopSec"][0]) > longest


# Work pools


def placeholders(template: object) -> set[str]:
    return set(re.findall(r"\{\{ (\w+) \}\}", json.dumps(template)))


@pytest.mark.parametrize("name", POOLS)
def test_a_work_pool_uses_exactly_the_variables_it_has(name: str) -> None:
    variables = POOLS[name]["variables"]
    assert placeholders(POOLS[name]["job_configuration"]) == set(variables["properties"])
    assert set(variables.get("required", [])) <= set(variables["properties"])
    assert variables["properties"]["image"]["default"] == IMAGE


def test_the_ecs_work_pool_is_one_for_prefect_s_ecs_worker() -> None:
    configuration = POOLS["ecs-work-pool.json"]["job_configuration"]
    assert set(configuration) <= set(ECSJobConfiguration.model_fields)
    defined = configuration["task_definition"]["containerDefinitions"][0]
    overridden = configuration["task_run_request"]["overrides"]["containerOverrides"][0]
    assert defined["name"] == overridden["name"]


def test_the_kubernetes_work_pool_makes_jobs_that_run_once() -> None:
    job = POOLS["kubernetes-work-pool.json"]["job_configuration"]["job_manifest"]
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "Job")
    assert job["spec"]["backoffLimit"] == 0, "a lost run is followed by another, made by Octavo"
    pod = job["spec"]["template"]["spec"]
    assert pod["restartPolicy"] == "Never"
    (source,) = pod["containers"][0]["envFrom"]
    assert source["secretRef"]["name"] in of_kind("Secret")


# systemd


def unit_lines(path: Path) -> dict[str, list[str]]:
    """Return what a unit sets, each with all of its values in order."""
    found: dict[str, list[str]] = {}
    for line in path.read_text().splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_starts_a_command_there_is_and_starts_it_again_for_ever(path: Path) -> None:
    unit = unit_lines(path)
    program, *rest = shlex.split(unit["ExecStart"][0])
    check_command([Path(program).name, *rest])
    assert (unit["Restart"], unit["StartLimitIntervalSec"], unit["KillMode"]) == (["always"], ["0"], ["mixed"])
    assert unit["WantedBy"] == ["multi-user.target"], "it comes back with the machine"


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_leaves_the_walls_of_the_children_alone(path: Path) -> None:
    # Landlock and seccomp are a child's own business: a filter here would forbid the calls they are made with.
    forbidden = {"SystemCallFilter", "SystemCallArchitectures", "MemoryDenyWriteExecute", "ProtectProc", "ProcSubset"}
    assert not forbidden & set(unit_lines(path))


def test_the_service_stops_later_than_its_children_may_take() -> None:
    from octavo.supervisor.stack import WORKER_STOP_SECONDS

    assert int(unit_lines(DEPLOYMENTS / "systemd" / "octavo.service")["TimeoutStopSec"][0]) > WORKER_STOP_SECONDS + 30


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd's own check is not on this machine")
def test_systemd_understands_every_line_of_the_units(tmp_path: Path) -> None:
    copies = []
    for path in UNITS:
        # Users and programs of the server are not here.
        text = re.sub(r"^(ExecStart)=\S+", r"\1=/bin/true", path.read_text(), flags=re.MULTILINE)
        text = re.sub(r"^(User|Group|WorkingDirectory)=.*\n", "", text, flags=re.MULTILINE)
        copies.append(tmp_path / path.name.replace("@.", "@second."))
        (tmp_path / path.name).write_text(text)
        copies[-1].write_text(text)
    told = subprocess.run(["systemd-analyze", "verify", *copies], capture_output=True, text=True, check=False)
    assert (told.returncode, told.stdout + told.stderr) == (0, "")
