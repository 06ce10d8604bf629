"""A ledger that remembers its unfinished work and one that reads it again each time show the same."""

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from datetime import datetime
from functools import partial

import duckdb
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from octavo.batches import ClaimedItem, FileStatus, NewBatch, RunStatus
from octavo.errors import OctavoError
from octavo.identifiers import BatchId, CustomerId, FileId, RunId, WorkerId
from octavo.ledger.contract import BatchCursor, Claim, ClaimRequest, Ledger, NewWebhook, Report
from octavo.ledger.duckdb import memory_ledger
from octavo.ledger.duckdb.working_set import WorkingSet
from octavo.webhooks.records import BATCH_EVENTS
from tests.contract.ledger.world import StandingClock, World, begin, failed, finish, release, success

WORKERS = [WorkerId("w/1"), WorkerId("w/2")]
RUNS = [RunId(f"r{number}") for number in range(3)]
WORDS = ["begin", "begin", "again", "finish", "finish", "fail", "release"]
OTHER_RUN = RunId("unknown")
"""A run the ledger never hears the end of."""


class Names:
    """Gives the random ids of one ledger the names of the place where they first came up."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def __call__(self, value: object) -> object:
        if isinstance(value, str) and value.partition("_")[0] in ("cust", "key", "item", "slice", "webhook"):
            return self._names.setdefault(value, f"{value.partition('_')[0]} {len(self._names)}")
        if is_dataclass(value):
            return {field.name: self(getattr(value, field.name)) for field in fields(value)}
        if isinstance(value, dict):
            return {self(key): self(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [self(one) for one in value]
        return value


class Side:
    """One ledger, the ids it made, and what it answered last."""

    def __init__(self, ledger: Ledger, clock: StandingClock) -> None:
        self.world = World(ledger, clock)
        self.ledger = ledger
        self.names = Names()
        self.customers = [self.world.customer.customer_id]
        self.claimed: list[ClaimedItem] = []
        self.slices: list[str] = []

    def answer(self, act: "Act") -> object:
        try:
            return self.names(act(self))
        except (OctavoError, ValueError) as refusal:
            return type(refusal), str(self.names(getattr(refusal, "facts", None)))


Act = Callable[[Side], object]


def told_of_all(customer_id: CustomerId) -> NewWebhook:
    return NewWebhook(customer_id=customer_id, url="https://receiver.example/", events=BATCH_EVENTS)


class BothLedgers(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.clock = StandingClock()
        self.forgetful = memory_ledger(self.clock)
        self.sides = [Side(memory_ledger(self.clock), self.clock), Side(self.forgetful, self.clock)]
        self.files: list[FileId] = []
        self.batches: list[BatchId] = []
        self.claims = 0

    def teardown(self) -> None:
        for side in self.sides:
            side.ledger.close()

    def both(self, act: Act) -> None:
        self.forgetful._store.writer._working = WorkingSet()
        remembered, read_anew = (side.answer(act) for side in self.sides)
        assert remembered == read_anew

    @initialize()
    def there_is_work(self) -> None:
        """A webhook, and two batches of the same files, so that the steps are spent on what happens to them."""
        self.both(lambda side: side.ledger.webhooks.add(told_of_all(self.owner(side, 0))))
        staged = self.sides[0].world.staged(6, hours=2)
        self.files.extend(file.file_id for file in staged)
        self.both(
            lambda side: side.ledger.files.add([replace(file, customer_id=self.owner(side, 0)) for file in staged])
        )
        for some in (self.files, self.files[:2]):
            order = self.sides[0].world.order(some)
            self.batches.append(order.batch_id)
            self.both(partial(self.submit, order=order, owner=0))

    def submit(self, side: Side, *, order: NewBatch, owner: int) -> object:
        return side.ledger.batches.create(replace(order, customer_id=self.owner(side, owner)))

    # What may happen

    @rule(
        seconds=st.sampled_from([0, 1, 40, 3600, 90_000, -5]),
        name=st.sampled_from("ab"),
        cap=st.sampled_from([None, 0, 1, 3]),
    )
    def time_goes_and_customers_change(self, seconds: int, name: str, cap: int | None) -> None:
        self.clock.go(seconds=seconds)

        def act(side: Side) -> object:
            made = side.ledger.accounts.ensure_customer(name)
            if made.customer_id not in side.customers:
                side.customers.append(made.customer_id)
            return side.ledger.accounts.update_customer(made.customer_id, item_cap=cap)

        self.both(act)

    @rule(
        data=st.data(),
        owner=st.integers(0, 2),
        count=st.integers(1, 4),
        status=st.sampled_from([FileStatus.READY, FileStatus.READY, FileStatus.PENDING]),
        hours=st.sampled_from([0.01, 2, 72]),
    )
    def files_come(self, data: st.DataObject, owner: int, count: int, status: FileStatus, hours: float) -> None:
        some = data.draw(st.lists(st.sampled_from(self.files), max_size=3))
        self.both(lambda side: side.ledger.files.mark_ready(some))
        staged = self.sides[0].world.staged(count, status=status, hours=hours)
        self.files.extend(file.file_id for file in staged)
        self.both(
            lambda side: side.ledger.files.add([replace(file, customer_id=self.owner(side, owner)) for file in staged])
        )

    @rule(
        data=st.data(),
        owner=st.integers(0, 2),
        key=st.sampled_from([None, None, "k1", "k2"]),
        digest=st.sampled_from(["d1", "d2"]),
    )
    def create_batch(self, data: st.DataObject, owner: int, key: str | None, digest: str) -> None:
        some = data.draw(st.lists(st.sampled_from(self.files), min_size=1, max_size=6))
        order = self.sides[0].world.order(some, key=key, digest=digest)
        self.batches.append(order.batch_id)
        self.both(partial(self.submit, order=order, owner=owner))

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        batch_id = data.draw(st.sampled_from(self.batches))
        owner = data.draw(st.integers(0, 2))
        self.both(lambda side: side.ledger.batches.cancel(self.owner(side, owner), batch_id))

    @rule(
        data=st.data(),
        lanes=st.integers(0, 4),
        slice_items=st.integers(1, 3),
        run=st.sampled_from(RUNS),
        worker=st.sampled_from(WORKERS),
        slots=st.sampled_from([None, None, 2]),
    )
    def claim(
        self, data: st.DataObject, lanes: int, slice_items: int, run: RunId, worker: WorkerId, slots: int | None
    ) -> None:
        batch_id = data.draw(st.sampled_from(self.batches))
        self.take(batch_id, lanes, slice_items, run, worker, slots)
        self.report(data)

    def report(self, data: st.DataObject) -> None:
        """Say anything of what was claimed lately, under leases new and old."""
        last = len(self.sides[0].claimed) - 1
        if last >= 0:
            words = st.tuples(st.integers(max(0, last - 9), last), st.sampled_from(WORDS))
            self.say(data.draw(st.lists(words, max_size=8)))

    def take(
        self,
        batch_id: BatchId,
        lanes: int,
        slice_items: int = 1,
        run: RunId = OTHER_RUN,
        worker: WorkerId = WORKERS[0],
        slots: int | None = None,
    ) -> None:
        request = ClaimRequest(
            batch_id=batch_id,
            run_id=run,
            worker_id=worker,
            slots=lanes,
            slice_items=slice_items,
            lease_seconds=30,
            worker_slots=slots,
        )

        def act(side: Side) -> Claim:
            claim = side.ledger.work.claim(request)
            side.slices.extend(one.slice_id for one in claim.slices)
            side.claimed.extend(item for one in claim.slices for item in one.items)
            return claim

        self.both(act)

    @rule(data=st.data(), lanes=st.integers(1, 3), how=st.sampled_from(["finish", "fail", "begin"]))
    def work(self, data: st.DataObject, lanes: int, how: str) -> None:
        """Claim and do what a worker does next, so that batches come to their end."""
        before = len(self.sides[0].claimed)
        self.take(data.draw(st.sampled_from(self.batches)), lanes)
        places = range(before, len(self.sides[0].claimed))
        self.say([(place, kind) for place in places for kind in ("begin", how)])

    def say(self, words: list[tuple[int, str]]) -> None:
        def word(item: ClaimedItem, kind: str) -> Report:
            return {
                "begin": begin(item),
                "again": begin(item, again=True),
                "finish": finish(item, success(pages=item.position + 1, sha256=f"sha of {item.position}")),
                "fail": finish(item, failed(sha256="sha of a failure")),
                "release": release(item),
            }[kind]

        self.both(lambda side: side.ledger.work.report([word(side.claimed[place], kind) for place, kind in words]))

    @rule(
        what=st.sampled_from(["renew", "expire", "revoke worker", "revoke run"]),
        worker=st.sampled_from(WORKERS),
        run=st.sampled_from(RUNS),
        seconds=st.sampled_from([10, 60]),
    )
    def leases(self, what: str, worker: WorkerId, run: RunId, seconds: int) -> None:
        if what == "renew":
            self.both(lambda side: side.ledger.work.renew(worker, side.slices[-5:], seconds))
        elif what == "expire":
            self.both(lambda side: side.ledger.work.expire_leases())
        elif what == "revoke worker":
            self.both(lambda side: side.ledger.work.revoke(worker_id=worker))
        else:
            self.both(lambda side: side.ledger.work.revoke(run_id=run))

    @rule(
        data=st.data(),
        what=st.sampled_from(["add", "add", "open", "end", "see", "forget"]),
        run=st.sampled_from(RUNS),
        worker=st.sampled_from(WORKERS),
        status=st.sampled_from([RunStatus.ENDED, RunStatus.LOST]),
    )
    def runs(self, data: st.DataObject, what: str, run: RunId, worker: WorkerId, status: RunStatus) -> None:
        if what == "add":
            unused = [run for run in RUNS if self.sides[0].ledger.runs.get(run) is None]
            batch_id = data.draw(st.sampled_from(self.batches))
            self.both(lambda side: self.add_run(side, batch_id, unused))
        elif what == "open":
            self.both(lambda side: side.ledger.runs.open(run, worker))
        elif what == "end":
            self.both(lambda side: side.ledger.runs.end(run, status))
        elif what == "see":
            self.both(lambda side: side.ledger.runs.note_seen([run]))
        else:
            self.both(self.forget_lost_runs)

    @staticmethod
    def add_run(side: Side, batch_id: BatchId, unused: list[RunId]) -> object:
        run = side.ledger.runs.add(batch_id)
        if unused:
            side.ledger.runs.name(batch_id, run.run_no, unused[0])
        return run

    @staticmethod
    def forget_lost_runs(side: Side) -> None:
        for run in side.ledger.runs.lost():
            side.ledger.runs.forget_lost(run.batch_id, run.run_no)

    # What must hold

    @invariant()
    def both_show_the_same(self) -> None:
        self.both(
            lambda side: [
                side.ledger.accounts.customers(),
                side.ledger.work.workers(),
                side.ledger.runs.lost(),
                side.ledger.runs.open_batches(),
                [side.ledger.runs.get(run) for run in RUNS],
            ]
        )
        self.both(lambda side: [self.owned(side, owner) for owner in side.customers])
        for batch_id in self.batches:
            self.both(partial(self.pages, batch_id=batch_id))

    @invariant()
    def every_end_is_told_once(self) -> None:
        self.both(self.told)
        for side in self.sides:
            told = self.told(side)
            ended = {
                (batch.batch_id, batch.completed_at)
                for batch in side.ledger.batches.of_customer(self.owner(side, 0), limit=100)
                if batch.status.is_terminal
            }
            assert ended <= set(told)
            assert len(told) == len(set(told))

    @classmethod
    def told(cls, side: Side) -> list[tuple[BatchId, datetime]]:
        """Which ends of batches, that is of which batch and when, were told; it must be each once."""
        customer_id = cls.owner(side, 0)
        (webhook,) = side.ledger.webhooks.of_customer(customer_id)
        deliveries = side.ledger.deliveries.of_webhook(customer_id, webhook.webhook_id, limit=1000)
        return sorted((one.end.batch_id, one.end.completed_at) for one in deliveries if one.end is not None)

    @invariant()
    def counts_equal_a_recount(self) -> None:
        with self.forgetful._store._database.cursor() as looking:
            assert _wrong_counts(looking) == []

    @staticmethod
    def owner(side: Side, number: int) -> CustomerId:
        return side.customers[min(number, len(side.customers) - 1)]

    def owned(self, side: Side, customer_id: CustomerId) -> list[object]:
        batches = side.ledger.batches.of_customer(customer_id, limit=100)
        after = BatchCursor(batches[0].created_at, batches[0].batch_id) if batches else None
        found = side.ledger.files.find(customer_id, self.files)
        return [
            side.ledger.billing.pages_used(customer_id),
            batches,
            side.ledger.batches.of_customer(customer_id, after=after),
            [found.get(file_id) for file_id in self.files],
        ]

    @staticmethod
    def pages(side: Side, batch_id: BatchId) -> list[object]:
        # By position first: that is where both sides learn the names of the items.
        listed = side.ledger.batches.items(batch_id, limit=100)
        return [sorted(listed, key=lambda item: item.position), [item.item_id for item in listed]]


def _wrong_counts(looking: duckdb.DuckDBPyConnection) -> list[tuple[object, ...]]:
    """Batches and slices whose kept counts are not those of their items."""
    return looking.execute(
        """
        SELECT b.batch_id FROM batches b JOIN (
            SELECT
                batch_id,
                count(*) FILTER (status = 'pending') AS pending,
                count(*) FILTER (status = 'pending' AND slice_id IS NULL) AS unleased,
                count(*) FILTER (status = 'running') AS running,
                count(*) FILTER (status = 'succeeded') AS succeeded,
                count(*) FILTER (status = 'failed') AS failed,
                count(*) FILTER (status = 'cancelled') AS cancelled
            FROM items GROUP BY batch_id
        ) i ON i.batch_id = b.batch_id
        WHERE (b.pending, b.unleased, b.running, b.succeeded, b.failed, b.cancelled)
            <> (i.pending, i.unleased, i.running, i.succeeded, i.failed, i.cancelled)
        UNION ALL
        SELECT s.slice_id FROM slices s
        LEFT JOIN (SELECT slice_id, count(*) AS held FROM items GROUP BY slice_id) i ON i.slice_id = s.slice_id
        WHERE s.open_items IS DISTINCT FROM i.held
        """
    ).fetchall()


TestBothLedgers = BothLedgers.TestCase
TestBothLedgers.settings = settings(
    max_examples=10,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
