"""Flow runs and task runs that nobody works on any more, at a real Prefect: its UI ends up showing the truth."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import State, StateType
from prefect.states import Cancelling, Completed, Crashed, Pending, Running, Scheduled

from api.orchestrator import orphans
from api.orchestrator.orphans import Orphans
from octavo.batches import Run, RunStatus
from tests.integration.worker.orchestrated import Deployed, orchestrated
from tests.integration.worker.test_dispatch import begun, run_status, show, state_type, uuid
from tests.unit.api.service import WORKER, Api

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orphans, "GRACE", timedelta())
    monkeypatch.setattr(orphans, "CRASHED_GRACE", timedelta())


@pytest.fixture
async def deaf(prefect: PrefectClient, deployed: Deployed, tmp_path: Path) -> AsyncIterator[Api]:
    """Yield an API to whom every worker is silent."""
    async with orchestrated(prefect, deployed, tmp_path, silence_seconds=0) as api:
        yield api


async def look(api: Api) -> int:
    return await Orphans(api.service.ledger, api.service.dispatcher, api.service.workers).look()


async def ended_in_the_ledger(api: Api, prefect: PrefectClient, state: State[None]) -> Run:
    """Return a run that its worker has ended in the ledger, while Prefect shows it in this state."""
    run = await begun(api)
    assert run.run_id is not None
    api.ledger.runs.open(run.run_id, WORKER)
    api.ledger.runs.end(run.run_id)
    await show(prefect, run, state)
    return run


async def new_task_run(prefect: PrefectClient, run: Run, state: State[None]) -> UUID:
    body = {
        "flow_run_id": run.run_id,
        "task_key": "extract",
        "dynamic_key": str(uuid4()),
        "state": {"type": state.type, "name": state.name},
    }
    answer = await prefect.request("POST", "/task_runs/", json=body)
    return UUID(answer.json()["id"])


async def test_a_run_whose_worker_died_before_its_last_word_to_prefect_is_crashed(
    deaf: Api, prefect: PrefectClient
) -> None:
    run = await ended_in_the_ledger(deaf, prefect, Running())
    assert await look(deaf) == 1
    flow_run = await prefect.read_flow_run(uuid(run))
    assert flow_run.state is not None
    assert (flow_run.state.type, flow_run.state.message) == (StateType.CRASHED, orphans.LOST)
    assert flow_run.end_time is not None, "or it would never be old enough to be pruned"
    assert await look(deaf) == 0


async def test_one_that_was_being_cancelled_is_cancelled(deaf: Api, prefect: PrefectClient) -> None:
    run = await ended_in_the_ledger(deaf, prefect, Running())
    await prefect.set_flow_run_state(uuid(run), Cancelling())
    await look(deaf)
    assert await state_type(prefect, run) is StateType.CANCELLED


async def test_a_run_whose_living_worker_is_about_to_end_it_is_left_alone(api: Api, prefect: PrefectClient) -> None:
    run = await ended_in_the_ledger(api, prefect, Running())
    api.service.workers.heartbeat(WORKER)
    assert await look(api) == 0
    assert await state_type(prefect, run) is StateType.RUNNING


async def test_an_ended_run_that_somebody_retries_waits_for_a_worker(deaf: Api, prefect: PrefectClient) -> None:
    run = await ended_in_the_ledger(deaf, prefect, Completed())
    await prefect.set_flow_run_state(uuid(run), Scheduled(name="AwaitingRetry"))
    assert await look(deaf) == 0
    assert await state_type(prefect, run) is StateType.SCHEDULED


async def test_a_living_worker_that_could_not_end_it_in_prefect_is_not_waited_for_for_ever(
    api: Api, prefect: PrefectClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await ended_in_the_ledger(api, prefect, Running())
    api.service.workers.heartbeat(WORKER)
    monkeypatch.setattr(orphans, "LAST_WORD", timedelta())
    await look(api)
    assert await state_type(prefect, run) is StateType.CRASHED


@pytest.mark.parametrize("state", [None, Pending()], ids=["Scheduled", "Pending"])
async def test_a_run_that_was_not_begun_when_its_batch_ended_is_cancelled(
    api: Api, prefect: PrefectClient, state: State[None] | None
) -> None:
    run = await begun(api)
    if state is not None:
        await show(prefect, run, state)
    assert await look(api) == 0, "its batch waits for it"
    api.ledger.batches.cancel(run.customer_id, run.batch_id)
    assert await look(api) == 1
    assert await state_type(prefect, run) is StateType.CANCELLED
    assert run_status(api, run) is RunStatus.ENDED


async def test_a_run_that_works_is_left_alone_with_its_task_runs(deaf: Api, prefect: PrefectClient) -> None:
    run = await begun(deaf)
    assert run.run_id is not None
    deaf.ledger.runs.open(run.run_id, WORKER)
    await show(prefect, run, Running())
    task_run = await new_task_run(prefect, run, Running())
    assert await look(deaf) == 0
    assert (await prefect.read_task_run(task_run)).state_type is StateType.RUNNING


@pytest.mark.parametrize("state", [Crashed(), Completed()], ids=lambda state: str(state.name))
async def test_task_runs_that_an_ended_run_has_left_behind_are_crashed(
    api: Api, prefect: PrefectClient, state: State[None]
) -> None:
    run = await begun(api)
    left = [await new_task_run(prefect, run, Running()), await new_task_run(prefect, run, Pending())]
    done = await new_task_run(prefect, run, Completed())
    await show(prefect, run, state)
    assert await look(api) == len(left)
    for task_run in left:
        assert (await prefect.read_task_run(task_run)).state_type is StateType.CRASHED
    assert (await prefect.read_task_run(done)).state_type is StateType.COMPLETED
    assert await look(api) == 0


async def test_what_prefect_shows_is_not_doubted_at_once(
    deaf: Api, prefect: PrefectClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    run = await ended_in_the_ledger(deaf, prefect, Running())
    other = await begun(deaf)
    await new_task_run(prefect, other, Running())
    await show(prefect, other, Completed())
    assert await look(deaf) == 0
    assert await state_type(prefect, run) is StateType.RUNNING
