"""`GET /health` and the workers: how many must be there for all to be well."""

import time
from pathlib import Path

import pytest

from api.about.health import UNSERVED_SECONDS
from octavo import disk_room
from octavo.engines.sandbox.confinement import WALLS
from octavo.identifiers import WorkerId
from octavo.ledger.contract import Ledger
from octavo.objects.memory import MemoryObjects
from tests.small_disk import small_disk
from tests.unit.api.service import WORKER, Api, MovableClock, make_service, settings

pytestmark = pytest.mark.anyio


async def part(api: Api, name: str) -> tuple[str, str | None]:
    found = (await api.client().get("/health")).json()["parts"][name]
    return found["status"], found["message"]


async def worker_part(api: Api) -> tuple[str, str | None]:
    return await part(api, "worker")


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


async def test_a_full_disk_is_503_and_is_told_and_is_well_again_when_there_is_room(
    ledger: Ledger, clock: MovableClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk_room, "LOOK_SECONDS", -1.0)
    with small_disk(tmp_path / "disk", 4) as disk:
        api = api_of(ledger, clock, disk.folder, count=0)
        assert await part(api, "disk") == ("ok", None)
        disk.fill()
        assert await part(api, "disk") == ("down", "the data directory takes no bytes: No space left on device")
        answer = await api.client().get("/health")
        assert (answer.status_code, answer.json()["status"]) == (503, "degraded")
        disk.make_room()
        assert await part(api, "disk") == ("ok", None)
        await api.close()


async def test_a_fleet_without_a_worker_is_degraded_once_work_has_waited(
    ledger: Ledger, clock: MovableClock, tmp_path: Path
) -> None:
    api = api_of(ledger, clock, tmp_path, count=0)
    assert await part(api, "work") == ("ok", None)
    await api.batch()
    estimates, open_batches = api.service.estimates, ledger.runs.open_batches()
    estimates.observe(open_batches)
    assert await part(api, "work") == ("ok", None), "workers come after their node"
    estimates._unserved_since = time.monotonic() - UNSERVED_SECONDS - 1
    estimates.observe(open_batches)
    answer = await api.client().get("/health")
    found = answer.json()
    assert (answer.status_code, found["status"]) == (503, "degraded"), "there is no Prefect either"
    assert found["parts"]["work"]["message"].endswith("and no worker has registered")
    api.service.workers.heartbeat(WORKER)
    estimates.observe(open_batches)
    assert await part(api, "work") == ("ok", None)
    await api.close()
