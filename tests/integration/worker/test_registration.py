"""Deployments and work pool: `octavo up` and `prefect deploy --all` give the same result, every time."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deployments.register import register
from octavo.directory import DataDirectory
from tests.acceptance.stack import ROOT, Stack, clean_environment, wait_for

PREFECT = str(Path(sys.executable).parent / "prefect")
COMPARED = (
    "id",
    "name",
    "description",
    "version",
    "entrypoint",
    "path",
    "tags",
    "parameters",
    "parameter_openapi_schema",
    "enforce_parameter_schema",
    "work_pool_name",
    "work_queue_name",
    "job_variables",
    "schedules",
    "paused",
    "pull_steps",
)


def deployed(stack: Stack) -> dict[str, dict[str, Any]]:
    found = stack.prefect("POST", "/deployments/filter", {})
    for one in found:
        # The rest of a schedule is made anew with every registration.
        one["schedules"] = [
            {"schedule": each["schedule"], "active": each["active"], "slug": each["slug"]} for each in one["schedules"]
        ]
    return {one["name"]: {field: one.get(field) for field in COMPARED} for one in found}


def register_again(stack: Stack) -> list[str]:
    async def run() -> list[str]:
        async with stack.prefect_client() as client:
            return await register(client)

    return asyncio.run(run())


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    return {"PREFECT_HOME": str(tmp_path / "prefect-home"), "PREFECT_CLI_PROMPT": "false"}


def test_octavo_up_has_registered_what_prefect_yaml_declares(stack: Stack) -> None:
    both = deployed(stack)
    assert set(both) == {"octavo", "deliver-webhooks", "prune", "expire"}
    found, pruning = both["octavo"], both["prune"]
    assert (found["name"], found["entrypoint"]) == ("octavo", "flows.extract_batch.extract_batch")
    assert (found["work_pool_name"], found["tags"]) == ("octavo", ["octavo"])
    assert list(found["parameter_openapi_schema"]["properties"]) == ["batch_id"]
    assert found["schedules"] == []
    assert (pruning["entrypoint"], pruning["work_pool_name"]) == ("flows.prune.prune", "octavo")
    (hourly,) = pruning["schedules"]
    assert (hourly["schedule"]["cron"], hourly["active"]) == ("7 * * * *", True)
    pool = stack.prefect("GET", "/work_pools/octavo")
    assert pool["type"] == "octavo"


def test_registering_again_changes_nothing(stack: Stack) -> None:
    before = deployed(stack)
    for _ in range(2):
        assert register_again(stack) == [
            "extract-batch/octavo",
            "deliver-webhooks/deliver-webhooks",
            "prune/prune",
            "expire/expire",
        ]
    assert deployed(stack) == before
    assert len(stack.prefect("POST", "/work_pools/filter", {})) == 1


def test_prefect_deploy_all_yields_the_same_deployment_and_leaves_the_tree_alone(
    stack: Stack, home: dict[str, str]
) -> None:
    before, tree = deployed(stack), sorted(path.name for path in ROOT.iterdir())
    ended = subprocess.run(
        [PREFECT, "--no-prompt", "deploy", "--all"],
        cwd=ROOT,
        env=clean_environment(**stack.prefect_environment, **home),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    try:
        after = deployed(stack)
        assert set(after) == set(before)
        for name in before:
            for field in COMPARED:
                assert (name, field, after[name][field]) == (name, field, before[name][field])
        assert sorted(path.name for path in ROOT.iterdir()) == tree
    finally:
        register_again(stack)


def test_a_batch_runs_from_what_prefect_deploy_has_made(stack: Stack, tmp_path: Path, home: dict[str, str]) -> None:
    subprocess.run(
        [PREFECT, "--no-prompt", "deploy", "--all"],
        cwd=ROOT,
        env=clean_environment(**stack.prefect_environment, **home),
        capture_output=True,
        timeout=300,
        check=True,
    )
    try:
        with stack.customer() as client:
            batch = stack.submit_sleeping(client, tmp_path, items=2, seconds=0)
            assert batch.wait_until_ended()["status"] == "completed"
    finally:
        register_again(stack)


@pytest.mark.xfail(
    reason="on a busy machine Prefect's own command may hang when it is told to end just after its start",
    strict=False,
)
def test_a_worker_started_by_prefect_s_own_command_says_hello_and_ends_on_sigterm(
    stack: Stack, tmp_path: Path, home: dict[str, str]
) -> None:
    directory = DataDirectory(stack.data)
    environment = clean_environment(
        **stack.prefect_environment,
        OCTAVO_WORKER__API_URL=stack.internal_url,
        OCTAVO_WORKER__TOKEN=directory.kept_secret("worker_token"),
        OCTAVO_WORKER__NAME="second",
        OCTAVO_WORKER__TEST_ENGINES="true",
        OCTAVO_WORKER__PROCESSES="1",
        OCTAVO_DATA=str(tmp_path / "nothing-here"),
        **home,
    )
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [PREFECT, "worker", "start", "--pool", "octavo", "--type", "octavo", "--name", "second"],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
        )
    try:
        _wait_for_workers(stack, {"embedded", "second"}, process, tmp_path / "log")
        # It says hello while it is set up; Prefect's command ends in peace only once it has said that it started.
        wait_for(lambda: "started!" in (tmp_path / "log").read_text(), limit=60, what="a worker that has started")
        process.terminate()
        assert process.wait(60) == 0, (tmp_path / "log").read_text()
        _wait_for_workers(stack, {"embedded"})
    finally:
        process.kill()
        process.wait()


def _wait_for_workers(
    stack: Stack, names: set[str], process: subprocess.Popen[bytes] | None = None, log: Path | None = None
) -> None:
    def there() -> bool:
        if process is not None and log is not None:
            assert process.poll() is None, log.read_text()
        health = stack.health()
        return health is not None and set(health.json()["workers"]) == names

    wait_for(there, limit=60, what=f"the workers {sorted(names)}")


def test_a_work_pool_and_a_deployment_that_were_deleted_come_back_while_the_stack_runs(stack: Stack) -> None:
    before = deployed(stack)
    stack.prefect("DELETE", f"/deployments/{before['prune']['id']}")
    stack.prefect("DELETE", "/work_pools/octavo")
    wait_for(
        lambda: {one["work_pool_name"] for one in deployed(stack).values()} == {"octavo"} and len(deployed(stack)) == 4,
        limit=30,
        what="every deployment in its work pool",
    )
    after = deployed(stack)
    assert {**after["prune"], "id": None} == {**before["prune"], "id": None}
    assert after["octavo"] == before["octavo"]
