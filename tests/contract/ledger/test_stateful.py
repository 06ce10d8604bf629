"""Both ledgers side by side: whatever is done to them, they show the same."""

import tempfile
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from functools import partial
from pathlib import Path

import duckdb
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from octavo.batches import ClaimedItem, FileStatus, RunStatus
from octavo.errors import OctavoError
from octavo.identifiers import BatchId, CustomerId, FileId, ItemId, RunId, WorkerId
from octavo.ledger.contract import BatchCursor, Claim, ClaimRequest, ItemCursor, Ledger, Report
from octavo.ledger.duckdb import DuckdbLedger
from octavo.ledger.memory import MemoryLedger
from tests.contract.ledger.world import StandingClock, World, begin, failed, finish, recount, release, success

WORKERS = [WorkerId("w/1"), WorkerId("w/2")]
RUNS = [RunId(f"r{number}") for number in range(3)]


class Names:
    """Gives the random ids of one ledger the names of the place where they first came up."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def __call__(self, value: object) -> object:
        if isinstance(value, str) and value.partition("_")[0] in ("cust", "key", "item", "slice"):
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


class BothLedgers(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.clock = StandingClock()
        self.folder = tempfile.TemporaryDirectory()
        self.duckdb = DuckdbLedger(Path(self.folder.name) / "ledger.duckdb", clock=self.clock)
        self.sides = [Side(MemoryLedger(self.clock), self.clock), Side(self.duckdb, self.clock)]
        self.files: list[FileId] = []
        self.batches: list[BatchId] = []
        self.claims = 0

    def teardown(self) -> None:
        self.duckdb.close()
        self.folder.cleanup()

    def both(self, act: Act) -> None:
        memory, duck = (side.answer(act) for side in self.sides)
        assert memory == duck

    # What may happen

    @rule(seconds=st.sampled_from([0, 1, 40, 3600, 90_000, -5]))
    def time_goes(self, seconds: int) -> None:
        self.clock.go(seconds=seconds)

    @rule(name=st.sampled_from("ab"), cap=st.sampled_from([None, 0, 1, 3]))
    def customer(self, name: str, cap: int | None) -> None:
        def act(side: Side) -> object:
            made = side.ledger.ensure_customer(name)
            if made.customer_id not in side.customers:
                side.customers.append(made.customer_id)
            return side.ledger.update_customer(made.customer_id, item_cap=cap)

        self.both(act)

    @rule(
        owner=st.integers(0, 2),
        count=st.integers(1, 4),
        status=st.sampled_from([FileStatus.READY, FileStatus.READY, FileStatus.PENDING]),
        hours=st.sampled_from([0.01, 2, 72]),
    )
    def add_files(self, owner: int, count: int, status: FileStatus, hours: float) -> None:
        staged = self.sides[0].world.staged(count, status=status, hours=hours)
        self.files.extend(file.file_id for file in staged)
        self.both(
            lambda side: side.ledger.add_files([replace(file, customer_id=self.owner(side, owner)) for file in staged])
        )

    @precondition(lambda self: self.files)
    @rule(data=st.data())
    def mark_ready(self, data: st.DataObject) -> None:
        some = data.draw(st.lists(st.sampled_from(self.files), max_size=3))
        self.both(lambda side: side.ledger.mark_ready(some))

    @precondition(lambda self: self.files)
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

        def act(side: Side) -> object:
            mine = replace(order, customer_id=self.owner(side, owner))
            return side.ledger.create_batch(mine)

        self.both(act)

    @precondition(lambda self: self.batches)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        batch_id = data.draw(st.sampled_from(self.batches))
        owner = data.draw(st.integers(0, 2))
        self.both(lambda side: side.ledger.cancel_batch(self.owner(side, owner), batch_id))

    @precondition(lambda self: self.batches)
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
        request = ClaimRequest(
            batch_id=data.draw(st.sampled_from(self.batches)),
            run_id=run,
            worker_id=worker,
            lanes=lanes,
            slice_items=slice_items,
            lease_seconds=30,
            worker_slots=slots,
        )

        def act(side: Side) -> Claim:
            claim = side.ledger.claim(request)
            side.slices.extend(one.slice_id for one in claim.slices)
            side.claimed.extend(item for one in claim.slices for item in one.items)
            return claim

        self.both(act)

    @precondition(lambda self: self.sides[0].claimed)
    @rule(
        data=st.data(),
        kinds=st.lists(
            st.sampled_from(["begin", "begin", "again", "finish", "finish", "fail", "release"]),
            min_size=1,
            max_size=6,
        ),
    )
    def report(self, data: st.DataObject, kinds: list[str]) -> None:
        last = len(self.sides[0].claimed) - 1
        places = [data.draw(st.integers(max(0, last - 9), last)) for _ in kinds]

        def word(item: ClaimedItem, kind: str) -> Report:
            return {
                "begin": begin(item),
                "again": begin(item, again=True),
                "finish": finish(item, success(pages=item.position + 1, sha256=f"sha of {item.position}")),
                "fail": finish(item, failed(sha256="sha of a failure")),
                "release": release(item),
            }[kind]

        self.both(
            lambda side: side.ledger.report(
                [word(side.claimed[place], kind) for place, kind in zip(places, kinds, strict=True)]
            )
        )

    @rule(worker=st.sampled_from(WORKERS), seconds=st.sampled_from([10, 60]))
    def renew(self, worker: WorkerId, seconds: int) -> None:
        self.both(lambda side: side.ledger.renew(worker, side.slices[-5:], seconds))

    @rule(worker=st.sampled_from(WORKERS))
    def revoke_worker(self, worker: WorkerId) -> None:
        self.both(lambda side: side.ledger.revoke(worker_id=worker))

    @rule(run=st.sampled_from(RUNS))
    def revoke_run(self, run: RunId) -> None:
        self.both(lambda side: side.ledger.revoke(run_id=run))

    @rule()
    def expire(self) -> None:
        self.both(lambda side: side.ledger.expire_leases())

    @precondition(lambda self: self.batches)
    @rule(data=st.data())
    def add_run(self, data: st.DataObject) -> None:
        batch_id = data.draw(st.sampled_from(self.batches))
        unused = [run for run in RUNS if self.sides[0].ledger.run(run) is None]

        def act(side: Side) -> object:
            run = side.ledger.add_run(batch_id)
            if unused:
                side.ledger.name_run(batch_id, run.run_no, unused[0])
            return run

        self.both(act)

    @rule(run=st.sampled_from(RUNS), worker=st.sampled_from(WORKERS))
    def open_run(self, run: RunId, worker: WorkerId) -> None:
        self.both(lambda side: side.ledger.open_run(run, worker))

    @rule(run=st.sampled_from(RUNS), status=st.sampled_from([RunStatus.ENDED, RunStatus.LOST]))
    def end_run(self, run: RunId, status: RunStatus) -> None:
        self.both(lambda side: side.ledger.end_run(run, status))

    @rule(run=st.sampled_from(RUNS))
    def see_run(self, run: RunId) -> None:
        self.both(lambda side: side.ledger.see_runs([run]))

    @rule()
    def forget_lost_runs(self) -> None:
        def act(side: Side) -> None:
            for run in side.ledger.lost_runs():
                side.ledger.forget_lost_run(run.batch_id, run.run_no)

        self.both(act)

    # What must hold

    @invariant()
    def both_show_the_same(self) -> None:
        self.both(
            lambda side: [
                side.ledger.customers(),
                side.ledger.workers(),
                side.ledger.lost_runs(),
                side.ledger.open_batches(),
                [side.ledger.run(run) for run in RUNS],
            ]
        )
        self.both(lambda side: [self.owned(side, owner) for owner in side.customers])
        for batch_id in self.batches:
            self.both(partial(self.pages, batch_id=batch_id))

    @invariant()
    def counts_equal_a_recount(self) -> None:
        side = self.sides[1]
        for customer_id in side.customers:
            for batch in side.ledger.batches(customer_id, limit=100):
                assert batch.counts == recount(side.ledger.items(batch.batch_id, limit=100))
        with self.duckdb._database.cursor() as looking:
            assert _wrong_counts(looking) == []

    @staticmethod
    def owner(side: Side, number: int) -> CustomerId:
        return side.customers[min(number, len(side.customers) - 1)]

    def owned(self, side: Side, customer_id: CustomerId) -> list[object]:
        newest = side.ledger.batches(customer_id, limit=2)
        after = BatchCursor(newest[-1].created_at, newest[-1].batch_id) if newest else None
        found = side.ledger.files(customer_id, self.files)
        return [
            side.ledger.pages_used(customer_id),
            newest,
            side.ledger.batches(customer_id, after=after),
            [found.get(file_id) for file_id in self.files],
        ]

    def pages(self, side: Side, batch_id: BatchId) -> list[object]:
        page = sorted(side.ledger.items(batch_id, limit=100), key=lambda item: item.position)
        order = side.ledger.items(batch_id, limit=100)
        after = ItemCursor(order[0].updated_at, order[0].item_id) if order else None
        rest: list[ItemId] = [item.item_id for item in side.ledger.items(batch_id, after=after)]
        return [page, rest]


def _wrong_counts(looking: duckdb.DuckDBPyConnection) -> list[object]:
    """What the public view does not show: unleased items of batches, open items of slices."""
    return [
        *looking.execute(
            """
            SELECT b.batch_id, b.unleased FROM batches b
            WHERE b.unleased <> (
                SELECT count(*) FROM items i
                WHERE i.batch_id = b.batch_id AND i.status = 'pending' AND i.slice_id IS NULL
            )
            """
        ).fetchall(),
        *looking.execute(
            """
            SELECT s.slice_id, s.open_items FROM slices s
            WHERE s.open_items <> (SELECT count(*) FROM items i WHERE i.slice_id = s.slice_id)
               OR s.open_items = 0
            """
        ).fetchall(),
    ]


TestBothLedgers = BothLedgers.TestCase
TestBothLedgers.settings = settings(
    max_examples=12,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
