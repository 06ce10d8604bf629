"""`GET /health` and the workers: how many must be there for all to be well."""

from pathlib import Path

import pytest

from octavo.engines.sandbox.confinement import WALLS
from octavo.identifiers import WorkerId
from octavo.ledger.contract import Ledger
from octavo.objects.memory import MemoryObjects
from tests.unit.api.service import Api, MovableClock, make_service, settings

pytestmark = pytest.mark.anyio


async def worker_part(api: Api) -> tuple[str, str | None]:
    part = (await api.client().get("/health")).json()["parts"]["worker"]
    return part["status"], part["message"]


def api_of(ledger: Ledger, clock: MovableClock, data: Path, *, count: int) -> Api:
    objects = MemoryObjects()
    return Api.make(make_service(settings(data, worker={"count": count}), ledger, objects), objects, clock)


async def test_a_node_that_has_its_workers_elsewhere_is_well_before_they_come(
    ledger: Ledger, clock: MovableClock, tmp_path: Path
) -> None:
    # Else nothing would lead workers to it: a proxy sends them only to a node that is well.
    api = api_of(ledger, clock, tmp_path, count=0)
    assert await worker_part(api) == ("ok", None)
    await api.close()


async def test_each_worker_tells_which_walls_are_up_around_its_children(
    ledger: Ledger, clock: MovableClock, tmp_path: Path
) -> None:
    api = api_of(ledger, clock, tmp_path, count=2)
    api.service.workers.heartbeat(WorkerId("embedded/1"), protection=WALLS)
    api.service.workers.heartbeat(WorkerId("embedded-2/1"), protection=("limits", "seccomp"))
    api.service.workers.heartbeat(WorkerId("older/1"))
    assert (await api.client().get("/health")).json()["sandbox"] == {
        "embedded": {"active": list(WALLS), "missing": []},
        "embedded-2": {"active": ["limits", "seccomp"], "missing": ["no_new_privileges", "landlock", "capabilities"]},
    }
    await api.close()


async def test_a_node_with_two_workers_is_well_when_both_are_there(
    ledger: Ledger, clock: MovableClock, tmp_path: Path
) -> None:
    api = api_of(ledger, clock, tmp_path, count=2)
    api.service.workers.heartbeat(WorkerId("embedded/1"))
    assert await worker_part(api) == ("down", "1 of 2 workers are alive")
    api.service.workers.heartbeat(WorkerId("embedded-2/1"))
    assert await worker_part(api) == ("ok", None)
    assert (await api.client().get("/health")).json()["workers"] == ["embedded", "embedded-2"]
    await api.close()
