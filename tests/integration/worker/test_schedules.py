"""Schedules on a real Prefect server: they run, and once they exist they belong to people."""

import asyncio
import signal
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from deployments.declared import read_declared
from deployments.register import SCHEDULES_VARIABLE, register
from octavo import __version__
from octavo.supervisor.prefect_access import FAILURES_PATH
from tests.acceptance.stack import PATIENCE, Stack, wait_for

SCHEDULED = ("prune", "expire")
RUN_SECONDS = 75.0
"""At the next minute, told by a scheduler that looks every minute."""
Json = dict[str, Any]


class Deployments:
    """The deployments of a stack, as a person changes them in the Prefect UI."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack

    def show(self, name: str) -> Json:
        found: list[Json] = self.stack.prefect(
            "POST", "/deployments/filter", {"deployments": {"name": {"any_": [name]}}}
        )
        (one,) = found
        return one

    def schedules(self, name: str) -> dict[str, Json]:
        """Return cron and whether it is active, by slug."""
        return {
            str(each["slug"]): {"cron": each["schedule"]["cron"], "active": each["active"]}
            for each in self.show(name)["schedules"]
        }

    def change(self, name: str, **fields: object) -> None:
        self.stack.prefect("PATCH", f"/deployments/{self.show(name)['id']}", fields)

    def change_schedule(self, name: str, slug: str, **fields: object) -> None:
        self.stack.prefect("PATCH", self._path(name, slug), fields)

    def add_schedule(self, name: str, slug: str | None, cron: str) -> None:
        body = [{"schedule": {"cron": cron, "timezone": "UTC"}, "active": True, "slug": slug}]
        self.stack.prefect("POST", f"/deployments/{self.show(name)['id']}/schedules", body)

    def delete_schedule(self, name: str, slug: str) -> None:
        self.stack.prefect("DELETE", self._path(name, slug))

    def _path(self, name: str, slug: str) -> str:
        found = self.show(name)
        (schedule_id,) = (each["id"] for each in found["schedules"] if each["slug"] == slug)
        return f"/deployments/{found['id']}/schedules/{schedule_id}"

    def delete(self, name: str) -> None:
        self.stack.prefect("DELETE", f"/deployments/{self.show(name)['id']}")

    def register(self) -> None:
        """Do what every worker does when it starts."""

        async def run() -> None:
            async with self.stack.prefect_client() as client:
                await register(client)

        asyncio.run(run())

    def scheduled_runs(self, name: str) -> list[Json]:
        found: list[Json] = self.stack.prefect(
            "POST",
            "/flow_runs/filter",
            {"deployments": {"name": {"any_": [name]}}, "sort": "EXPECTED_START_TIME_ASC"},
        )
        return [run for run in found if run["auto_scheduled"]]


@pytest.fixture
def deployments(stack: Stack) -> Iterator[Deployments]:
    """Yield the deployments as they are declared; afterwards they are so again."""
    found = Deployments(stack)
    yield found
    for name in SCHEDULED:
        found.delete(name)
    found.register()


def test_a_change_of_a_person_outlives_a_start_of_the_worker(stack: Stack, deployments: Deployments) -> None:
    deployments.change_schedule("prune", "hourly", active=False, schedule={"cron": "11 3 * * *", "timezone": "UTC"})
    deployments.add_schedule("prune", "sundays", "0 4 * * 0")
    deployments.delete_schedule("expire", "hourly")
    deployments.change(
        "prune", paused=True, parameters={"keep_runs_days": 3}, tags=["octavo", "night"], concurrency_limit=1
    )
    before = {name: deployments.show(name) for name in SCHEDULED}
    stack.strike("worker", signal.SIGTERM)
    stack.wait_until_healthy()
    assert deployments.schedules("prune") == {
        "hourly": {"cron": "11 3 * * *", "active": False},
        "sundays": {"cron": "0 4 * * 0", "active": True},
    }
    assert deployments.schedules("expire") == {}, "what was deleted stays deleted"
    for name, was in before.items():
        found = deployments.show(name)
        for field in ("paused", "parameters", "tags", "concurrency_limit", "updated", "id"):
            assert found[field] == was[field], (name, field)


def test_a_start_renews_what_belongs_to_octavo_and_nothing_else(deployments: Deployments) -> None:
    deployments.change("prune", description="old", version="0.0.1", entrypoint="flows.gone.gone", tags=["night"])
    deployments.add_schedule("prune", None, "0 4 * * 0")
    deployments.register()
    found, declared = deployments.show("prune"), {one.name: one for one in read_declared()}["prune"]
    assert (found["description"], found["version"], found["entrypoint"]) == (
        declared.description,
        __version__,
        declared.entrypoint,
    )
    assert found["tags"] == ["night"]
    assert {each["slug"] for each in found["schedules"]} == {"hourly", None}


def test_a_schedule_that_a_new_version_declares_is_added_to_a_deployment_of_before(
    stack: Stack, deployments: Deployments
) -> None:
    deployments.delete_schedule("expire", "hourly")
    stack.prefect("PATCH", f"/variables/name/{SCHEDULES_VARIABLE}", {"value": {"prune/prune": ["hourly"]}})
    deployments.register()
    assert set(deployments.schedules("expire")) == {"hourly"}
    noted = stack.prefect("GET", f"/variables/name/{SCHEDULES_VARIABLE}")["value"]
    assert (noted["prune/prune"], noted["expire/expire"]) == (["hourly"], ["hourly"])


def test_a_deployment_that_was_deleted_comes_back_as_it_is_declared(deployments: Deployments) -> None:
    deployments.delete_schedule("expire", "hourly")
    deployments.delete("expire")
    deployments.register()
    assert set(deployments.schedules("expire")) == {"hourly"}


@pytest.mark.timeout(PATIENCE * RUN_SECONDS + 240)
def test_what_is_scheduled_for_the_next_minute_runs_to_its_end(deployments: Deployments) -> None:
    for name in SCHEDULED:
        deployments.change_schedule(name, "hourly", schedule={"cron": "* * * * *", "timezone": "UTC"})

    def ended() -> dict[str, str] | None:
        found = {
            name: run["state"]["name"]
            for name in SCHEDULED
            for run in deployments.scheduled_runs(name)
            if run["state"]["type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
        }
        return found if len(found) == len(SCHEDULED) else None

    found = wait_for(ended, limit=RUN_SECONDS, what="scheduled runs of prune and expire that have ended")
    _wait_until_health_tells_their_ends(deployments)
    assert found["prune"] == "Completed"
    # Storage of this stack may hold objects that another test has not noted yet.
    assert found["expire"] in ("Completed", "NotSwept")


def _wait_until_health_tells_their_ends(deployments: Deployments) -> None:
    def told() -> bool:
        health = deployments.stack.health()
        assert health is not None
        found = health.json()["scheduled"]
        return all(found[name]["ended_at"] and found[name]["next_at"] for name in SCHEDULED)

    wait_for(told, limit=40, what="the ends of prune and expire in /health")
    health = deployments.stack.health()
    assert health is not None
    assert health.json()["parts"]["schedules"]["status"] == "ok"


def test_the_server_tells_its_operator_alone_which_services_have_failed(stack: Stack) -> None:
    assert stack.prefect("GET", FAILURES_PATH) == []
    answer = httpx.get(f"{stack.prefect_access.api_url}{FAILURES_PATH}", trust_env=False)
    assert answer.status_code == 401
