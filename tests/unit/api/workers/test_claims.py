"""Claims over HTTP wait until there is something to say; what was given to a caller that has gone is given back."""

import asyncio
from collections.abc import AsyncIterator, Iterable

import pytest

from api.workers.claims import Claims
from octavo.batch_options import BatchOptions
from octavo.batches import BatchStatus, Customer, FileStatus, ItemStatus, NewBatch, NewItem, StagedFile
from octavo.errors import LedgerUnavailable, StaleLease
from octavo.identifiers import BatchId, RunId, WorkerId, new_batch_id, new_file_id
from octavo.ledger.contract import Claim, ClaimRequest, Report, ReportKind
from octavo.ledger.duckdb import memory_ledger
from octavo.timestamps import now
from tests.unit.api.service import succeeded

pytestmark = pytest.mark.anyio
SOON = 45.0
"""Far longer than an answer that is due takes; a test that waits this long has failed."""
LONG = 60.0
"""A wait that no test waits out."""


class World:
    """A ledger and the claims that wait for it."""

    def __init__(self) -> None:
        self.ledger = memory_ledger()
        self.claims = Claims(self.ledger)
        self.asked: list[asyncio.Task[Claim]] = []

    def customer(self, name: str, cap: int) -> Customer:
        made = self.ledger.accounts.ensure_customer(name)
        return self.ledger.accounts.update_customer(made.customer_id, item_cap=cap)

    def batch(self, customer: Customer, items: int) -> BatchId:
        moment = now()
        file = StagedFile(
            file_id=new_file_id(),
            customer_id=customer.customer_id,
            status=FileStatus.READY,
            filename=None,
            content_type=None,
            size_bytes=1,
            sha256=None,
            object_key="in/x",
            created_at=moment,
            expires_at=moment.replace(year=moment.year + 1),
        )
        self.ledger.files.add([file])
        new = NewBatch(
            batch_id=new_batch_id(),
            customer_id=customer.customer_id,
            items=NewItem.of_files((file.file_id,) * items),
            engine=None,
            options=BatchOptions(),
            metadata=None,
        )
        return self.ledger.batches.create(new)[0].batch_id

    def ask(
        self, batch_id: BatchId, count: int = 8, *, wait: float = LONG, run: str = "", slots: int | None = None
    ) -> "asyncio.Task[Claim]":
        request = ClaimRequest(
            batch_id=batch_id,
            run_id=RunId(run or f"run of {batch_id}"),
            worker_id=WorkerId("worker/1"),
            slots=count,
            worker_slots=slots,
        )
        asking = asyncio.get_running_loop().create_task(self.claims.claim(request, wait))
        self.asked.append(asking)
        return asking

    async def served(self) -> None:
        """Return once every claim that is not answered stands before the ledger."""
        async with asyncio.timeout(SOON):
            while self.claims.waiting < sum(not asking.done() for asking in self.asked) or self.claims._clearing:
                await asyncio.sleep(0.005)

    def finish(self, claim: Claim, count: int = 1) -> None:
        self.report(ReportKind.FINISH, claim, count)

    def report(self, kind: ReportKind, claim: Claim, count: int) -> None:
        items = [piece.items[0] for piece in claim.slices[:count]]
        outcome = succeeded() if kind is ReportKind.FINISH else None
        words = [Report(kind=kind, item_id=item.item_id, lease_no=item.lease_no, outcome=outcome) for item in items]
        assert all(verdict.accepted for verdict in self.ledger.work.report(words))


@pytest.fixture
async def world(anyio_backend: str) -> AsyncIterator[World]:
    made = World()
    yield made
    for asking in made.asked:
        asking.cancel()
    await asyncio.gather(*made.asked, return_exceptions=True)


async def answer(asked: "asyncio.Task[Claim]") -> Claim:
    return await asyncio.wait_for(asked, SOON)


def slots_of(claims: Iterable[Claim]) -> list[int]:
    return [len(claim.slices) for claim in claims]


async def test_a_claim_gets_all_it_wants_at_once(world: World) -> None:
    batch_id = world.batch(world.customer("a", 8), 20)
    claim = await answer(world.ask(batch_id, 5))
    assert (len(claim.slices), claim.unleased, claim.held) == (5, 15, 5)
    assert len({piece.slice_id for piece in claim.slices}) == 5


async def test_a_waiting_claim_is_answered_as_soon_as_a_slot_is_free(world: World) -> None:
    batch_id = world.batch(world.customer("a", 2), 10)
    holds = await answer(world.ask(batch_id))
    waits = world.ask(batch_id)
    await world.served()
    assert not waits.done()
    world.finish(holds)
    claim = await answer(waits)
    assert (len(claim.slices), claim.held) == (1, 2)


async def test_a_claim_with_nothing_left_is_answered_at_once(world: World) -> None:
    batch_id = world.batch(world.customer("a", 8), 2)
    holds = await answer(world.ask(batch_id))
    waits = world.ask(batch_id)
    await world.served()
    assert not waits.done(), "its own slots may still come back"
    world.finish(holds, 2)
    claim = await answer(waits)
    assert (claim.slices, claim.unleased, claim.held, claim.status) == ((), 0, 0, BatchStatus.COMPLETED)


async def test_a_claim_whose_time_is_over_hears_how_things_stand(world: World) -> None:
    batch_id = world.batch(world.customer("a", 2), 10)
    await answer(world.ask(batch_id))
    claim = await answer(world.ask(batch_id, wait=0.0))
    assert (claim.slices, claim.unleased, claim.held, claim.at_cap) == ((), 8, 2, True)
    claim = await answer(world.ask(batch_id, wait=0.05))
    assert (claim.slices, claim.unleased, claim.held, claim.at_cap) == ((), 8, 2, True)


async def test_zero_slots_get_none_whoever_else_asks(world: World) -> None:
    customer = world.customer("a", 8)
    quiet, loud = world.ask(world.batch(customer, 5), 0, wait=0.0), world.ask(world.batch(customer, 5), 3, wait=0.0)
    assert slots_of([await answer(quiet), await answer(loud)]) == [0, 3]


async def test_a_worker_that_drains_is_answered_at_once(world: World) -> None:
    batch_id = world.batch(world.customer("a", 2), 10)
    await answer(world.ask(batch_id))
    waits = [world.ask(batch_id), world.ask(batch_id, run="another run")]
    await world.served()
    world.claims.close_for(WorkerId("worker/2"))
    await world.served()
    assert not any(claim.done() for claim in waits)
    world.claims.close_for(WorkerId("worker/1"))
    assert slots_of([await answer(claim) for claim in waits]) == [0, 0]


async def test_a_cancelled_batch_is_told_at_once_though_others_hold_the_cap(world: World) -> None:
    customer = world.customer("a", 2)
    batches = [world.batch(customer, 10) for _ in range(4)]
    await answer(world.ask(batches[0]))
    waits = [world.ask(batch_id) for batch_id in batches]
    await world.served()
    for batch_id, waiting in list(zip(batches, waits, strict=True))[1:]:
        world.ledger.batches.cancel(customer.customer_id, batch_id)
        claim = await answer(waiting)
        assert (claim.slices, claim.status) == ((), BatchStatus.CANCELLED)
    waits[0].cancel()


async def test_an_asker_that_has_gone_while_waiting_gets_nothing(world: World) -> None:
    batch_id = world.batch(world.customer("a", 2), 10)
    holds = await answer(world.ask(batch_id))
    gone = world.ask(batch_id)
    await world.served()
    gone.cancel()
    await asyncio.wait({gone}, timeout=SOON)
    world.finish(holds)
    await world.served()
    claim = await answer(world.ask(batch_id, 8, run="another run"))
    assert len(claim.slices) == 1, "the slot that came free is free for whoever is there"


async def test_what_was_given_to_an_asker_that_has_gone_goes_back(world: World) -> None:
    batch_id = world.batch(world.customer("a", 8), 3)
    gone = world.ask(batch_id)
    await asyncio.sleep(0)  # it has asked, and nobody has served it
    gone.cancel()
    await asyncio.wait({gone}, timeout=SOON)
    await world.served()
    claim = await answer(world.ask(batch_id, run="another run"))
    assert len(claim.slices) == 3
    items = world.ledger.batches.items(batch_id)
    assert {item.status for item in items} == {ItemStatus.PENDING}
    assert {item.attempts for item in items} == {0}


async def test_what_an_asker_got_in_the_moment_it_went_goes_back(world: World) -> None:
    batch_id = world.batch(world.customer("a", 8), 3)
    for _ in range(20):
        gone = world.ask(batch_id)
        for _ in range(3):
            await asyncio.sleep(0)  # somewhere between asking and being answered
        gone.cancel()
        await asyncio.wait({gone}, timeout=SOON)
        if not gone.cancelled():
            world.report(ReportKind.RELEASE, gone.result(), 8)
        await world.served()
    claim = await answer(world.ask(batch_id, run="another run"))
    assert len(claim.slices) == 3


async def test_a_run_that_is_over_hears_so(world: World) -> None:
    batch_id = world.batch(world.customer("a", 8), 3)
    run = world.ledger.runs.add(batch_id)
    world.ledger.runs.name(batch_id, run.run_no, RunId("over"))
    world.ledger.runs.end(RunId("over"))
    with pytest.raises(StaleLease):
        await answer(world.ask(batch_id, run="over"))


async def test_trouble_with_one_claim_is_no_trouble_for_others(world: World) -> None:
    customer = world.customer("a", 8)
    good, bad = world.batch(customer, 3), world.batch(customer, 3)
    run = world.ledger.runs.add(bad)
    world.ledger.runs.name(bad, run.run_no, RunId("over"))
    world.ledger.runs.end(RunId("over"))
    asked = [world.ask(bad, run="over"), world.ask(good)]
    assert len((await answer(asked[1])).slices) == 3
    with pytest.raises(StaleLease):
        await answer(asked[0])


async def test_a_ledger_that_fails_is_told_to_whoever_asks(world: World) -> None:
    batch_id = world.batch(world.customer("a", 8), 3)
    world.ledger.close()
    request = ClaimRequest(batch_id=batch_id, run_id=RunId("r"), worker_id=WorkerId("w/1"), slots=1)
    with pytest.raises(LedgerUnavailable):
        await asyncio.wait_for(world.claims.claim(request, LONG), SOON)


def test_a_ledger_that_closes_after_its_loop_has_ended_does_so_in_peace() -> None:
    made = World()

    async def ask() -> None:
        batch_id = made.batch(made.customer("a", 1), 2)
        await answer(made.ask(batch_id))
        made.ask(batch_id, run="waiting")
        await made.served()
        made.claims._ledger = memory_ledger()  # what would take the claim back at the end is out of reach

    asyncio.run(ask())
    made.ledger.close()
