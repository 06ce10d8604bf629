"""The archive's loop in the API, which delays no request."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from api.background import archive
from api.background.archive import Archive
from octavo.errors import ArchiveForeign
from octavo.ledger.duckdb import memory_ledger
from octavo.objects import keys
from octavo.objects.memory import MemoryObjects
from tests.unit.api.service import Api, MovableClock, make_service, settings

pytestmark = pytest.mark.anyio
SOON = 45.0


async def until(condition: Callable[[], object]) -> None:
    async def wait() -> None:
        while not condition():
            await asyncio.sleep(0.005)

    await asyncio.wait_for(wait(), SOON)


def stored(objects: MemoryObjects, prefix: str = keys.ARCHIVE) -> list[str]:
    return sorted(info.key for info in objects.list(prefix))


@contextlib.asynccontextmanager
async def running(kept: Archive) -> AsyncIterator[None]:
    loop = asyncio.create_task(kept.run())
    yield
    loop.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await loop
    # A look that was begun goes on in its thread, with parts that the test would take away.
    await until(lambda: not kept._is_looking)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "PERIOD_SECONDS", 0.01)
    monkeypatch.setattr(archive, "LONGEST_PAUSE_SECONDS", 0.05)


@pytest.mark.parametrize("ledger", ["memory", "duckdb"], indirect=True)
async def test_what_is_admitted_and_reported_is_soon_in_the_archive(api: Api) -> None:
    async with running(api.service.archive):
        batch_id = await api.batch(2)
        await until(lambda: keys.manifest_key(batch_id) in stored(api.objects))
        for piece in api.claim(batch_id).slices:
            api.finish(piece.items[0])
        await until(lambda: keys.outcomes_key(batch_id) in stored(api.objects))
    assert api.service.archive.trouble is None


async def test_a_silent_storage_delays_the_archive_and_no_request(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    batch_id = await api.batch(1)
    monkeypatch.setattr(archive, "PATIENCE_SECONDS", 0.0)
    async with running(api.service.archive):
        await until(lambda: keys.manifest_key(batch_id) in stored(api.objects))
        api.objects.available = False
        api.finish(api.claim(batch_id).slices[0].items[0])
        await until(lambda: api.service.archive.trouble)
        assert (await api.http.get(f"/v1/batches/{batch_id}")).status_code == 200
        found = (await api.client().get("/health")).json()["parts"]["archive"]
        assert found["status"] == "down"
        assert "Storage is switched off." in found["message"]
        api.objects.available = True
        await until(lambda: keys.outcomes_key(batch_id) in stored(api.objects))
        await until(lambda: api.service.archive.trouble is None)


async def test_health_and_log_tell_of_the_archive_of_another_ledger(
    api: Api, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(api.service.archive):
        batch_id = await api.batch(1)
        await until(lambda: keys.manifest_key(batch_id) in stored(api.objects))
    before = stored(api.objects)
    service = make_service(settings(tmp_path), memory_ledger(), api.objects)
    fresh = Api.make(service, api.objects, MovableClock())
    async with running(service.archive):
        await fresh.batch(1)
        await until(lambda: service.archive.trouble)
        answer = await fresh.client().get("/health")
        part = answer.json()["parts"]["archive"]
        assert answer.json()["status"] == "degraded"
        assert part["status"] == "down"
        assert "octavo ledger rebuild" in part["message"]
    await fresh.close()
    assert stored(api.objects) == before
    (record,) = [
        record for record in caplog.records if record.name == "api.background.archive" and record.levelname == "ERROR"
    ]
    assert "octavo ledger rebuild" in record.message


async def test_a_defect_of_the_archive_does_not_end_its_loop(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    kept = api.service.archive
    look, calls = kept._writer.look, []

    def broken_once() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise KeyError("a defect")
        look()

    monkeypatch.setattr(kept._writer, "look", broken_once)
    async with running(kept):
        batch_id = await api.batch(1)
        await until(lambda: keys.manifest_key(batch_id) in stored(api.objects))
    assert "the archive of the ledger failed with a defect" in caplog.text


async def test_what_came_last_is_archived_at_the_end(api: Api) -> None:
    batch_id = await api.batch(1)
    await api.service.archive.close()
    assert keys.manifest_key(batch_id) in stored(api.objects)


async def test_at_the_end_a_trouble_is_not_waited_for(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = api.service.archive
    kept._task.trouble = ArchiveForeign("Of another ledger.")
    monkeypatch.setattr(kept._writer, "look", lambda: pytest.fail("looked"))
    await kept.close()
