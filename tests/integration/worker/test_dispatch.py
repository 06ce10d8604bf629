"""The dispatcher, the reconciler and the customer slots at a real Prefect, with runs that no worker picks up."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import cast
from uuid import UUID

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import DeploymentUpdate, WorkPoolCreate, WorkPoolUpdate
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterTags
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.states import Cancelling, Completed, Failed, Pending, Running

from api.orchestrator import reconciler
from api.orchestrator.limits import limit_name
from api.orchestrator.reconciler import BATCH_IS_OVER, BEGINNING, PATIENCE, TOO_LONG, Reconciler
from deployments.worker import OctavoWorker, customer_slots
from deployments.worker.customer_slots import CustomerSlots
from octavo.batches import BatchStatus, Run, RunStatus
from octavo.identifiers import BatchId, CustomerId, WorkerId, new_customer_id
from octavo.worker import SliceWorker
from tests.unit.api.service import WORKER, Api

pytestmark = pytest.mark.anyio
SOON = 45.0
A_WHILE_AGO = -(PATIENCE + timedelta(seconds=5))
LONG_AGO = -(BEGINNING + timedelta(seconds=5))
VERY_LONG_AGO = -(TOO_LONG + timedelta(seconds=5))


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async def wait() -> None:
        while not await condition():
            await asyncio.sleep(0.02)

    await asyncio.wait_for(wait(), SOON)


async def made(api: Api, batch_id: BatchId) -> Run:
    """Return the batch's open run when its flow run was made."""

    async def is_made() -> bool:
        return not api.service.dispatcher.is_starting(batch_id) and bool(open_runs(api, batch_id))

    await until(is_made)
    (run,) = open_runs(api, batch_id)
    assert run.run_id is not None
    return run


def open_runs(api: Api, batch_id: BatchId) -> tuple[Run, ...]:
    return next((found.runs for found in api.ledger.runs.open_batches() if found.batch.batch_id == batch_id), ())


async def begun(api: Api, shift: timedelta = timedelta()) -> Run:
    """Return the run of a fresh batch, made so long ago."""
    api.clock.shift = shift
    run = await made(api, await api.batch())
    api.clock.shift = timedelta()
    return run


def uuid(run: Run) -> UUID:
    return UUID(run.run_id)


async def flow_runs(prefect: PrefectClient, batch_id: BatchId) -> list[FlowRun]:
    wanted = FlowRunFilter(tags=FlowRunFilterTags(all_=[f"batch:{batch_id}"]))
    return sorted(await prefect.read_flow_runs(flow_run_filter=wanted), key=lambda one: one.name)


async def state_type(prefect: PrefectClient, run: Run) -> StateType | None:
    return (await prefect.read_flow_run(uuid(run))).state_type


async def show(prefect: PrefectClient, run: Run, state: State[None]) -> None:
    await prefect.set_flow_run_state(uuid(run), state, force=True)


def reconciler_of(api: Api) -> Reconciler:
    service = api.service
    return Reconciler(service.ledger, service.dispatcher, service.workers, service.estimates, service.run_delivery)


async def reconcile(api: Api, passes: int = 1) -> None:
    made = reconciler_of(api)
    for _ in range(passes):
        await made._pass()


def batch_status(api: Api, run: Run) -> BatchStatus:
    return api.ledger.batches.get(run.customer_id, run.batch_id).status


def run_status(api: Api, run: Run) -> RunStatus:
    assert run.run_id is not None
    found = api.ledger.runs.get(run.run_id)
    assert found is not None
    return found.status


# What a flow run looks like


async def test_a_started_batch_is_one_flow_run_that_a_person_understands(api: Api, prefect: PrefectClient) -> None:
    batch_id = await api.batch(2)
    run = await made(api, batch_id)
    (flow_run,) = await flow_runs(prefect, batch_id)
    assert flow_run.id == uuid(run)
    assert flow_run.name == f"acme: 2 files, {batch_id}"
    assert set(flow_run.tags) == {f"customer:{api.customer.customer_id}", "name:acme", f"batch:{batch_id}"}
    assert flow_run.parameters == {"batch_id": batch_id}
    assert flow_run.idempotency_key == f"{batch_id}:1"
    assert flow_run.state_type is StateType.SCHEDULED


async def test_a_run_whose_making_was_cut_short_finds_its_flow_run_again(api: Api, prefect: PrefectClient) -> None:
    run = await begun(api)
    api.service.dispatcher.resume(replace(run, run_id=None))
    assert await made(api, run.batch_id) == run
    assert [one.id for one in await flow_runs(prefect, run.batch_id)] == [uuid(run)]


async def test_the_customer_s_limit_is_its_cap_and_follows_it(api: Api, prefect: PrefectClient) -> None:
    for cap in (3, 5):
        api.ledger.accounts.update_customer(api.customer.customer_id, item_cap=cap)
        await begun(api)
        limit = await prefect.read_global_concurrency_limit_by_name(limit_name(api.customer.customer_id))
        assert (limit.limit, limit.active, limit.active_slots) == (cap, True, 0)


# What the reconciler makes of what Prefect shows


async def test_a_run_that_waits_for_a_worker_is_left_alone(api: Api, prefect: PrefectClient) -> None:
    run = await begun(api, LONG_AGO)
    await reconcile(api, 2)
    assert open_runs(api, run.batch_id) == (run,)
    assert not api.service.dispatcher.is_starting(run.batch_id)
    assert await state_type(prefect, run) is StateType.SCHEDULED


async def test_a_run_that_begins_slowly_is_left_alone(api: Api, prefect: PrefectClient) -> None:
    run = await begun(api, A_WHILE_AGO)
    await show(prefect, run, Pending())
    await reconcile(api, 2)
    assert open_runs(api, run.batch_id) == (run,)
    assert await state_type(prefect, run) is StateType.PENDING


async def test_a_run_cancelled_before_a_worker_saw_it_cancels_its_batch(api: Api, prefect: PrefectClient) -> None:
    run = await begun(api, A_WHILE_AGO)
    # Asked for as the UI asks; Prefect makes Cancelled of it, for nothing runs yet.
    await prefect.set_flow_run_state(uuid(run), Cancelling())
    await reconcile(api, 2)
    assert batch_status(api, run) is BatchStatus.CANCELLED
    assert run_status(api, run) is RunStatus.ENDED
    assert [one.state_type for one in await flow_runs(prefect, run.batch_id)] == [StateType.CANCELLED]


async def test_a_run_cancelled_on_its_way_to_a_worker_that_died_cancels_its_batch(
    api: Api, prefect: PrefectClient
) -> None:
    run = await begun(api, A_WHILE_AGO)
    await show(prefect, run, Pending())
    await prefect.set_flow_run_state(uuid(run), Cancelling())
    await reconcile(api, 2)
    assert batch_status(api, run) is BatchStatus.CANCELLED
    assert run_status(api, run) is RunStatus.ENDED
    assert [one.state_type for one in await flow_runs(prefect, run.batch_id)] == [StateType.CANCELLED]


@pytest.mark.parametrize("state", [Pending(), Running()], ids=lambda state: str(state.name))
async def test_a_run_that_was_begun_and_never_spoke_up_is_lost(
    api: Api, prefect: PrefectClient, state: State[None]
) -> None:
    run = await begun(api, LONG_AGO)
    await show(prefect, run, state)
    await reconcile(api, 2)
    assert await state_type(prefect, run) is StateType.CRASHED
    assert run_status(api, run) is RunStatus.ENDED
    await assert_has_second_run(api, prefect, run)


async def test_a_run_deleted_in_prefect_is_followed_by_another(api: Api, prefect: PrefectClient) -> None:
    run = await begun(api, A_WHILE_AGO)
    await prefect.delete_flow_run(uuid(run))
    await reconcile(api, 2)
    assert run_status(api, run) is RunStatus.ENDED
    await assert_has_second_run(api, prefect, run)


async def test_a_run_that_ended_in_prefect_without_a_word_is_followed_by_another(
    api: Api, prefect: PrefectClient
) -> None:
    run = await begun(api, A_WHILE_AGO)
    await show(prefect, run, Failed())
    await reconcile(api, 2)
    assert run_status(api, run) is RunStatus.ENDED
    assert await state_type(prefect, run) is StateType.FAILED
    await assert_has_second_run(api, prefect, run)


async def assert_has_second_run(api: Api, prefect: PrefectClient, first: Run) -> None:
    second = await made(api, first.batch_id)
    assert (second.run_no, second.status) == (2, RunStatus.STARTING)
    flow_run = await prefect.read_flow_run(uuid(second))
    assert flow_run.name == f"acme: 1 file, {first.batch_id} (part 2)"
    assert flow_run.idempotency_key == f"{first.batch_id}:2"


# Runs that no worker takes


async def test_a_run_whose_batch_was_over_before_a_worker_took_it_is_shown_as_cancelled(
    api: Api, prefect: PrefectClient
) -> None:
    run = await begun(api, A_WHILE_AGO)
    api.ledger.batches.cancel(run.customer_id, run.batch_id)
    await reconcile(api, 2)
    flow_run = await prefect.read_flow_run(uuid(run))
    assert flow_run.state is not None
    assert (flow_run.state.type, flow_run.state.message) == (StateType.CANCELLED, BATCH_IS_OVER)
    assert run_status(api, run) is RunStatus.ENDED
    assert api.ledger.runs.starting() == []


async def test_a_run_whose_making_was_cut_short_by_the_end_of_its_batch_is_cleared_away_too(
    api: Api, prefect: PrefectClient
) -> None:
    api.clock.shift = A_WHILE_AGO
    batch_id = await api.batch()
    await made(api, batch_id)
    left = api.ledger.runs.add(batch_id)
    api.clock.shift = timedelta()
    api.ledger.batches.cancel(left.customer_id, batch_id)

    async def are_cleared_away() -> bool:
        await reconcile(api)
        return not api.ledger.runs.starting()

    await until(are_cleared_away)
    found = await flow_runs(prefect, batch_id)
    assert [one.state_type for one in found] == [StateType.CANCELLED] * 2


async def test_a_further_run_whose_worker_has_gone_is_withdrawn_and_the_batch_goes_on(
    api: Api, prefect: PrefectClient
) -> None:
    first = await begun(api, A_WHILE_AGO)
    assert first.run_id is not None
    api.ledger.runs.open(first.run_id, WORKER)
    api.clock.shift = A_WHILE_AGO
    api.service.dispatcher.start(first.batch_id)

    async def are_two() -> bool:
        runs = open_runs(api, first.batch_id)
        return len(runs) == 2 and runs[1].run_id is not None

    await until(are_two)
    api.clock.shift = timedelta()
    further = open_runs(api, first.batch_id)[1]
    api.service.workers.heartbeat(WORKER, slots=1)
    api.service.workers.accepts_runs(WORKER)
    other = WorkerId("other/1")
    api.service.workers.accepts_runs(other)
    api.service.workers.heartbeat(other, slots=1)
    await reconcile(api)
    assert await state_type(prefect, further) is StateType.SCHEDULED, "there is a worker to take it"
    api.service.workers.forget(other)
    await asyncio.sleep(0)
    await reconciler_of(api)._pass()
    assert await state_type(prefect, further) is StateType.CANCELLED
    assert [run.run_no for run in open_runs(api, first.batch_id)] == [1]
    assert batch_status(api, first) is BatchStatus.PENDING


# What the dispatcher shows of a lost run


async def lost(api: Api, prefect: PrefectClient, state: State[None]) -> Run:
    """Return a run whose worker had begun it and died, and which Prefect shows in this state."""
    run = await begun(api)
    assert run.run_id is not None
    api.ledger.runs.open(run.run_id, WORKER)
    await show(prefect, run, state)
    api.ledger.work.revoke(run_id=run.run_id)
    return run


async def test_a_lost_run_is_shown_as_crashed(api: Api, prefect: PrefectClient) -> None:
    run = await lost(api, prefect, Running())
    await api.service.dispatcher.crash(run)
    assert await state_type(prefect, run) is StateType.CRASHED
    assert api.ledger.runs.lost() == []


async def test_a_lost_run_that_was_being_cancelled_is_shown_as_cancelled_and_cancels_its_batch(
    api: Api, prefect: PrefectClient
) -> None:
    run = await lost(api, prefect, Running())
    await prefect.set_flow_run_state(uuid(run), Cancelling())
    await api.service.dispatcher.crash(run)
    assert await state_type(prefect, run) is StateType.CANCELLED
    assert batch_status(api, run) is BatchStatus.CANCELLED
    assert api.ledger.runs.lost() == []


async def test_a_lost_run_that_had_completed_is_left_as_it_is(api: Api, prefect: PrefectClient) -> None:
    run = await lost(api, prefect, Completed())
    await api.service.dispatcher.crash(run)
    assert await state_type(prefect, run) is StateType.COMPLETED
    assert api.ledger.runs.lost() == []


async def test_a_lost_run_that_prefect_does_not_know_is_forgotten(api: Api, prefect: PrefectClient) -> None:
    run = await lost(api, prefect, Running())
    await prefect.delete_flow_run(uuid(run))
    await api.service.dispatcher.crash(run)
    assert api.ledger.runs.lost() == []


# Lanes as slots


@dataclass
class FakeSliceWorker:
    """How many slots each customer has taken on a worker."""

    taken: dict[CustomerId, int] = field(default_factory=dict)
    looks: int = 0

    def slots_by_customer(self) -> dict[CustomerId, int]:
        self.looks += 1
        return dict(self.taken)


@dataclass
class Worker:
    """One worker's slots, and those of Prefect that follow them."""

    slice_worker: FakeSliceWorker
    slots: CustomerSlots
    follower: asyncio.Task[None]

    @classmethod
    def start(cls, note: Path | None = None) -> "Worker":
        slice_worker = FakeSliceWorker()
        slots = CustomerSlots(cast(SliceWorker, slice_worker), note)
        return cls(slice_worker, slots, asyncio.create_task(slots.run()))

    def open(self, customer_id: CustomerId, count: int) -> None:
        self.slice_worker.taken[customer_id] = count
        self.slots.changed()

    async def stop(self) -> None:
        await self.die()
        await self.slots.release_all()

    async def die(self) -> None:
        """End without a word, as a worker that is killed, between two looks at its slots.

        Prefect counts a slot before the worker hears of its lease: cut off there, nobody could give it back.
        """
        assert not self.follower.done()
        looks = self.slice_worker.looks

        async def has_looked_again() -> bool:
            self.slots.changed()
            # The next look may be under way; once there is another after it, all its answers have come.
            return self.slice_worker.looks > looks + 1

        await until(has_looked_again)
        self.follower.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.follower


@pytest.fixture
async def customer_id(prefect: PrefectClient) -> AsyncIterator[CustomerId]:
    """Yield a customer that may take three slots."""
    customer_id = new_customer_id()
    await prefect.upsert_global_concurrency_limit_by_name(limit_name(customer_id), 3)
    yield customer_id
    await prefect.delete_global_concurrency_limit_by_name(limit_name(customer_id))


@pytest.fixture
async def worker(prefect: PrefectClient) -> AsyncIterator[Worker]:
    worker = Worker.start()
    yield worker
    if not worker.follower.done():
        await worker.stop()


async def taken(prefect: PrefectClient, customer_id: CustomerId) -> int:
    return (await prefect.read_global_concurrency_limit_by_name(limit_name(customer_id))).active_slots


async def until_taken(prefect: PrefectClient, customer_id: CustomerId, slots: int) -> None:
    async def is_so() -> bool:
        return await taken(prefect, customer_id) == slots

    await until(is_so)


async def test_prefects_slots_follow_those_taken_up_and_down(
    prefect: PrefectClient, worker: Worker, customer_id: CustomerId
) -> None:
    for count in (1, 3, 2, 0, 1):
        worker.open(customer_id, count)
        await until_taken(prefect, customer_id, count)
    await worker.stop()
    assert await taken(prefect, customer_id) == 0


async def test_slots_never_exceed_the_cap_and_work_without_one_goes_on(
    prefect: PrefectClient, worker: Worker, customer_id: CustomerId, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", customer_slots.__name__)
    worker.open(customer_id, 3)
    await until_taken(prefect, customer_id, 3)
    other = Worker.start()
    other.open(customer_id, 1)

    async def is_refused() -> bool:
        return f"Prefect has no slot for {customer_id}" in caplog.text

    await until(is_refused)
    assert await taken(prefect, customer_id) == 3
    worker.open(customer_id, 1)
    await until_taken(prefect, customer_id, 1)
    other.open(customer_id, 2)
    await until_taken(prefect, customer_id, 3)
    await other.stop()
    assert await taken(prefect, customer_id) == 1, "what another worker holds stays"


async def test_a_slot_that_prefect_took_back_is_taken_again(
    prefect: PrefectClient, worker: Worker, customer_id: CustomerId, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker.open(customer_id, 2)
    await until_taken(prefect, customer_id, 2)
    lease = worker.slots._leases[customer_id][0]
    await prefect.release_concurrency_slots_with_lease(lease)
    assert await taken(prefect, customer_id) == 1
    monkeypatch.setattr(customer_slots, "RENEW_SECONDS", 0.1)
    await until_taken(prefect, customer_id, 2)
    assert lease not in worker.slots._leases[customer_id]


async def test_the_next_life_of_a_worker_gives_back_what_the_killed_one_held(
    prefect: PrefectClient, customer_id: CustomerId, tmp_path: Path
) -> None:
    note = tmp_path / "lane-slots" / "embedded.json"
    killed = Worker.start(note)
    killed.open(customer_id, 3)
    await until_taken(prefect, customer_id, 3)
    await killed.die()
    assert await taken(prefect, customer_id) == 3
    next_life = Worker.start(note)
    next_life.open(customer_id, 2)
    await until_taken(prefect, customer_id, 2)
    await next_life.stop()
    await killed.slots.release_all()
    assert await taken(prefect, customer_id) == 0, "given back twice, a slot is free once"
    note.write_text("[")
    damaged = Worker.start(note)
    damaged.open(customer_id, 1)
    await until_taken(prefect, customer_id, 1)
    await damaged.stop()


async def test_work_between_two_slices_keeps_its_slot(
    prefect: PrefectClient, worker: Worker, customer_id: CustomerId
) -> None:
    # Longer than the moment between two looks on a busy machine.
    worker.slots._linger_seconds = 8.0
    worker.open(customer_id, 3)
    await until_taken(prefect, customer_id, 3)
    leases = list(worker.slots._leases[customer_id])
    for count in (2, 3, 1, 3):
        looks = worker.slice_worker.looks
        worker.open(customer_id, count)

        async def is_seen(seen: int = looks) -> bool:
            return worker.slice_worker.looks > seen

        await until(is_seen)
        assert await taken(prefect, customer_id) == 3
    assert worker.slots._leases[customer_id] == leases
    worker.open(customer_id, 1)
    await until_taken(prefect, customer_id, 1)


# Clocks that are set back


async def test_a_run_that_was_made_before_the_clock_was_set_back_is_looked_after_all_the_same(
    api: Api, prefect: PrefectClient
) -> None:
    run = await begun(api, timedelta(hours=1))
    await prefect.delete_flow_run(uuid(run))
    await reconcile(api, 2)
    assert run_status(api, run) is RunStatus.ENDED
    await assert_has_second_run(api, prefect, run)


async def test_a_run_that_begins_just_when_the_clock_is_set_back_is_given_its_time(
    api: Api, prefect: PrefectClient
) -> None:
    run = await begun(api, timedelta(hours=1))
    await show(prefect, run, Pending())
    await reconcile(api, 2)
    assert open_runs(api, run.batch_id) == (run,)


# What keeps runs from workers


@contextlib.asynccontextmanager
async def without_pool(api: Api, prefect: PrefectClient) -> AsyncIterator[None]:
    """Delete the work pool of the deployment, and give it another at the end."""
    deployment = await prefect.read_deployment_by_name(api.service.dispatcher.deployment)
    pool = deployment.work_pool_name
    assert pool is not None
    await prefect.delete_work_pool(pool)
    yield
    template = OctavoWorker.get_default_base_job_template()
    await prefect.create_work_pool(WorkPoolCreate(name=pool, type=OctavoWorker.type, base_job_template=template))
    await prefect.update_deployment(
        deployment.id, DeploymentUpdate(work_pool_name=pool, work_queue_name=deployment.work_queue_name)
    )


async def test_a_run_whose_work_pool_was_deleted_is_made_anew_once_there_is_one(
    api: Api, prefect: PrefectClient
) -> None:
    run = await begun(api, A_WHILE_AGO)
    assert await api.service.run_delivery.look() is None
    async with without_pool(api, prefect):
        found = await api.service.run_delivery.look()
        assert found is not None
        assert not found.is_pause
        assert "has lost its work pool" in found.message
        await reconcile(api)
        assert open_runs(api, run.batch_id) == (run,), "another one would be lost as well"
        health = (await api.client().get("/health")).json()
        assert (health["status"], health["parts"]["work"]["message"]) == ("degraded", found.message)
    assert await api.service.run_delivery.look() is None
    await reconcile(api, 2)
    assert await state_type(prefect, run) is StateType.CANCELLED
    await assert_has_second_run(api, prefect, run)


async def test_a_run_that_waits_too_long_beside_a_worker_with_room_is_made_anew(
    api: Api, prefect: PrefectClient
) -> None:
    run = await begun(api, VERY_LONG_AGO)
    await reconcile(api)
    assert open_runs(api, run.batch_id) == (run,), "there is no worker"
    api.service.workers.accepts_runs(WORKER)
    api.service.workers.heartbeat(WORKER, slots=2)
    await reconcile(api, 2)
    assert await state_type(prefect, run) is StateType.CANCELLED
    await assert_has_second_run(api, prefect, run)


async def reasons(api: Api, batch_id: BatchId) -> tuple[str | None, list[str | None]]:
    found = (await api.http.get(f"/v1/batches/{batch_id}")).json()
    return found["reason"], [item["reason"] for item in found["items"]]


@pytest.mark.parametrize("what", ["pool", "deployment"])
async def test_a_pause_is_told_and_respected_until_somebody_resumes(
    api: Api, prefect: PrefectClient, what: str
) -> None:
    deployment = await prefect.read_deployment_by_name(api.service.dispatcher.deployment)
    assert deployment.work_pool_name is not None

    async def pause(is_paused: bool) -> None:
        if what == "pool":
            await prefect.update_work_pool(str(deployment.work_pool_name), WorkPoolUpdate(is_paused=is_paused))
        else:
            await prefect.update_deployment(deployment.id, DeploymentUpdate(paused=is_paused))

    run = await begun(api, VERY_LONG_AGO)
    api.service.workers.accepts_runs(WORKER)
    api.service.workers.heartbeat(WORKER, slots=2)
    await pause(True)
    try:
        found = await api.service.run_delivery.look()
        assert found is not None
        assert "is paused in Prefect" in found.message
        await reconcile(api, 2)
        assert open_runs(api, run.batch_id) == (run,)
        assert await reasons(api, run.batch_id) == ("paused", ["paused"])
        assert (await api.client().get("/health")).json()["parts"]["work"]["message"] == found.message
    finally:
        await pause(False)
    assert await api.service.run_delivery.look() is None
    assert await reasons(api, run.batch_id) == ("queued", ["queued"])


async def test_a_customer_s_limit_that_was_deleted_is_made_again_while_its_batch_is_open(
    api: Api, prefect: PrefectClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciler, "LIMITS_SECONDS", -1.0)
    await begun(api)
    name = limit_name(api.customer.customer_id)
    await prefect.delete_global_concurrency_limit_by_name(name)
    await reconcile(api)
    assert (await prefect.read_global_concurrency_limit_by_name(name)).limit == api.customer.item_cap
