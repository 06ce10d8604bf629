"""Model, memory and DuckDB side by side, while DuckDB's process dies between write and acknowledge.

A death is what kill -9 leaves: file and log as they are at that moment, opened by the next process. A word whose
answer was lost is said again; whichever side of the commit the death was on, it counts once.
`pytest tests/contract/ledger/test_model.py --hypothesis-profile long` runs for much longer.
"""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from octavo.batches import Batch, ClaimedItem, Item
from octavo.errors import BatchCancelling, StaleLease
from octavo.identifiers import CustomerId, RunId, WorkerId
from octavo.ledger.contract import ClaimRequest, Ledger, Report, ReportResult, Reservation, Retry
from octavo.ledger.duckdb import DuckdbLedger, memory_ledger
from tests.contract.ledger.model import Model, ModelItem
from tests.contract.ledger.world import StandingClock, World, begin, failed, finish, release, success

WORKERS = ["a", "b"]
RUNS = ["r1", "r2", "r3"]
WORDS = ["begin", "begin", "again", "finish", "finish", "holes", "fail", "release"]
DEATHS = st.sampled_from([None, None, None, "before", "after"])
"""On which side of the commit the process dies, if it does."""
LEASE_SECONDS = 30.0
IN_MEMORY = Path("/dev/shm")
"""A death of the process, not of the machine, is what is played here: nothing needs to reach a disk."""

Claimed = tuple[int, int, int]
"""Batch, position and lease number: what a worker knows of an item it was given."""


class Side:
    """One ledger, its batches in the order they were made, and everything it ever gave out."""

    def __init__(self, ledger: Ledger, clock: StandingClock, customer_id: CustomerId) -> None:
        self.ledger = ledger
        self.clock = clock
        self.customer_id = customer_id
        self.batches: list[Batch] = []
        self.given: dict[Claimed, ClaimedItem] = {}

    def items(self, number: int) -> list[Item]:
        found = self.ledger.batches.items(self.batches[number].batch_id, limit=1000)
        return sorted(found, key=lambda item: item.position)

    def shows(self, number: int) -> object:
        batch = self.ledger.batches.get(self.customer_id, self.batches[number].batch_id)
        items = [
            (item.status.value, item.attempts, item.error_code, item.page_count or 0, item.failed_pages)
            for item in self.items(number)
        ]
        return batch.status.value, items


class ModelledLedgers(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.clock = StandingClock()
        self.folder = tempfile.TemporaryDirectory(dir=IN_MEMORY if IN_MEMORY.is_dir() else None)
        self.lives = 0
        self.model = Model()
        self.duckdb = DuckdbLedger(self.path, clock=self.clock)
        self.sides = [self.side(memory_ledger(self.clock)), self.side(self.duckdb)]
        self.known: list[Claimed] = []

    @property
    def path(self) -> Path:
        return Path(self.folder.name) / str(self.lives) / "ledger.duckdb"

    def side(self, ledger: Ledger) -> Side:
        return Side(ledger, self.clock, ledger.accounts.ensure_customer("Ada's archive").customer_id)

    def teardown(self) -> None:
        for side in self.sides:
            side.ledger.close()
        self.folder.cleanup()

    # Deaths

    def die(self) -> None:
        """Leave the file as kill -9 would, and open it again."""
        before = self.path
        self.lives += 1
        self.path.parent.mkdir()
        for kept in before.parent.iterdir():
            shutil.copy(kept, self.path.parent / kept.name)
        self.duckdb.close()
        self.duckdb = DuckdbLedger(self.path, clock=self.clock)
        self.sides[1].ledger = self.duckdb

    def through_death(self, death: str | None, act: Callable[[], object]) -> None:
        """Die just before or just after something is written; then nobody knows whether it was."""
        if death == "after":
            act()
        if death is not None:
            self.die()

    # What may happen

    @initialize(sizes=st.lists(st.integers(1, 5), min_size=1, max_size=2))
    def there_is_work(self, sizes: list[int]) -> None:
        for size in sizes:
            self.submit(size, None)

    @precondition(lambda self: len(self.model.batches) < 5)
    @rule(size=st.integers(1, 5), death=DEATHS)
    def submit(self, size: int, death: str | None) -> None:
        self.model.batches.append([ModelItem() for _ in range(size)])
        for side in self.sides:
            world = World(side.ledger, self.clock)
            order = world.order(world.files(size, hours=1e6), key=f"key {len(side.batches)}")
            if side is self.sides[1]:
                self.through_death(death, lambda side=side, order=order: side.ledger.batches.create(order))  # type: ignore[misc]
            made, is_new = side.ledger.batches.create(order)
            assert is_new is not (side is self.sides[1] and death == "after")
            side.batches.append(made)

    @rule(
        data=st.data(),
        worker=st.sampled_from(WORKERS),
        run=st.sampled_from(RUNS),
        lanes=st.integers(0, 9),
        size=st.integers(1, 3),
        is_heard=st.sampled_from([True, True, True, False]),
    )
    def take(self, data: st.DataObject, worker: str, run: str, lanes: int, size: int, *, is_heard: bool) -> None:
        """Claim; an answer that is not heard leaves leases that nobody works on."""
        self.claim(data, worker, run, lanes, size, is_heard=is_heard)

    def claim(self, data: st.DataObject, worker: str, run: str, lanes: int, size: int, *, is_heard: bool) -> None:
        number = data.draw(st.integers(0, len(self.model.batches) - 1))
        answers = [self.claimed(side, number, worker, run, lanes, size) for side in self.sides]
        assert answers[0] == answers[1]
        ends = self.clock.moment.timestamp() + LEASE_SECONDS
        self.model.claim(number, worker, run, lanes, ends, answers[0])
        if is_heard:
            items = self.model.batches[number]
            self.known += [(number, at, items[at].lease) for some in answers[0] for at in some]
        else:
            self.die()

    def claimed(self, side: Side, number: int, worker: str, run: str, lanes: int, size: int) -> list[list[int]]:
        request = ClaimRequest(
            batch_id=side.batches[number].batch_id,
            run_id=RunId(run),
            worker_id=WorkerId(worker),
            slots=lanes,
            slice_items=size,
            lease_seconds=LEASE_SECONDS,
        )
        slices = side.ledger.work.claim(request).slices
        for item in [item for one in slices for item in one.items]:
            side.given[number, item.position, item.lease_no] = item
            assert item.lost_leases == self.model.batches[number][item.position].lost
        return [[item.position for item in one.items] for one in slices]

    @rule(data=st.data(), worker=st.sampled_from(WORKERS), times=st.integers(1, 5))
    def die_with_everything_in_work(self, data: st.DataObject, worker: str, times: int) -> None:
        """A worker begins all it can get and dies, again and again; then it says what it would have said."""
        for _ in range(times):
            before = len(self.known)
            self.claim(data, worker, RUNS[0], lanes=4, size=1, is_heard=True)
            given = self.known[before:]
            self.say([(item, "begin") for item in given], None)
            self.everywhere(None, lambda side: side.ledger.work.revoke(worker_id=WorkerId(worker)))
            self.model.lose(worker=worker)
            self.say([(item, "finish") for item in self.known[-8:][:4]], None)

    @precondition(lambda self: self.known)
    @rule(data=st.data(), death=DEATHS)
    def report(self, data: st.DataObject, death: str | None) -> None:
        """Say anything of what was given lately, under leases new and old."""
        lately = st.sampled_from(self.known[-12:])
        words = data.draw(st.lists(st.tuples(lately, st.sampled_from(WORDS)), min_size=1, max_size=6))
        if death is not None:
            # What counts every time it is said is never repeated by a worker, and "given back" only once.
            words = [(item, word) for item, word in words if word not in ("again", "release")]
        self.say(words, death)

    @precondition(lambda self: self.known)
    @rule(how=st.sampled_from(["finish", "holes", "fail", "begin"]), death=DEATHS)
    def work(self, how: str, death: str | None) -> None:
        """Do what a worker does next with all it was given lately, so that batches come to their end."""
        self.say([(item, word) for item in self.known[-4:] for word in ("begin", how)], death)

    def say(self, words: list[tuple[Claimed, str]], death: str | None) -> None:
        if not words:
            return
        expected = [self.model.say(*item, word, pages=item[1] + 1) for item, word in words]
        for side in self.sides:
            reports = [self.word(side.given[item], word) for item, word in words]
            if side is self.sides[1]:
                self.through_death(death, lambda side=side, reports=reports: side.ledger.work.report(reports))  # type: ignore[misc]
            assert accepted(side.ledger.work.report(reports)) == expected

    @staticmethod
    def word(item: ClaimedItem, kind: str) -> Report:
        return {
            "begin": begin(item),
            "again": begin(item, again=True),
            "finish": finish(item, success(pages=item.position + 1)),
            "holes": finish(item, replace(success(pages=item.position + 1), failed_pages=1)),
            "fail": finish(item, failed()),
            "release": release(item),
        }[kind]

    @rule(quota=st.sampled_from([None, 0, 3, 6, 10, 20]), death=DEATHS)
    def give_quota(self, quota: int | None, death: str | None) -> None:
        self.everywhere(death, lambda side: side.ledger.accounts.set_limits(side.customer_id, {"page_quota": quota}))
        self.model.quota = quota

    @precondition(lambda self: self.known)
    @rule(data=st.data(), pages=st.integers(0, 5), death=DEATHS)
    def reserve(self, data: st.DataObject, pages: int, death: str | None) -> None:
        """Set pages aside for items that were given lately, so that some finish with more and some with fewer."""
        for item in data.draw(st.lists(st.sampled_from(self.known[-8:]), min_size=1, max_size=4)):
            expected = self.model.reserve(*item, pages)
            for side in self.sides:
                if side is self.sides[1]:
                    self.through_death(death, lambda side=side, item=item: self.reserved(side, item, pages))  # type: ignore[misc]
                assert self.reserved(side, item, pages) == expected

    @staticmethod
    def reserved(side: Side, item: Claimed, pages: int) -> bool | None:
        given = side.given[item]
        try:
            asked = Reservation(item_id=given.item_id, lease_no=given.lease_no, pages=pages)
            return side.ledger.billing.reserve(asked)
        except StaleLease:
            return None

    @rule(what=st.sampled_from(["worker", "run", "time"]), data=st.data(), death=DEATHS)
    def lose(self, what: str, data: st.DataObject, death: str | None) -> None:
        """A worker or a run dies, or leases run out."""
        if what == "time":
            self.clock.go(seconds=data.draw(st.sampled_from([1, LEASE_SECONDS])))
            self.everywhere(death, lambda side: side.ledger.work.expire_leases())
            self.model.lose(now=self.clock.moment.timestamp())
        elif what == "worker":
            worker = data.draw(st.sampled_from(WORKERS))
            self.everywhere(death, lambda side: side.ledger.work.revoke(worker_id=WorkerId(worker)))
            self.model.lose(worker=worker)
        else:
            run = data.draw(st.sampled_from(RUNS))
            self.everywhere(death, lambda side: side.ledger.work.revoke(run_id=RunId(run)))
            self.model.lose(run=run)

    @rule(data=st.data(), death=DEATHS)
    def cancel(self, data: st.DataObject, death: str | None) -> None:
        number = data.draw(st.integers(0, len(self.model.batches) - 1))
        self.everywhere(death, lambda side: side.ledger.batches.cancel(side.customer_id, side.batches[number].batch_id))
        self.model.cancel(number)

    @rule(data=st.data(), failed_pages=st.booleans(), death=DEATHS)
    def retry(self, data: st.DataObject, death: str | None, *, failed_pages: bool) -> None:
        """Let what failed run again; where the answer was lost, the second call finds nothing to do."""
        number = data.draw(st.integers(0, len(self.model.batches) - 1))
        expected = self.model.retry(number, failed_pages=failed_pages)
        for side in self.sides:
            batch_id = side.batches[number].batch_id
            order = Retry(customer_id=side.customer_id, batch_id=batch_id, failed_pages=failed_pages)
            was_lost = side is self.sides[1] and death == "after"
            if side is self.sides[1]:
                self.through_death(death, lambda side=side, order=order: retried(side.ledger, order))  # type: ignore[misc]
            assert retried(side.ledger, order) == (0 if was_lost and expected is not None else expected)

    def everywhere(self, death: str | None, act: Callable[[Side], object]) -> None:
        for side in self.sides:
            if side is self.sides[1]:
                self.through_death(death, lambda side=side: act(side))  # type: ignore[misc]
            act(side)

    # What must hold

    @invariant()
    def ledgers_are_as_the_model_says(self) -> None:
        for number, items in enumerate(self.model.batches):
            told = [(item.status, item.attempts, item.code, item.pages, item.failed_pages) for item in items]
            for side in self.sides:
                assert side.shows(number) == (self.model.status(number), told)
        for side in self.sides:
            assert side.ledger.billing.pages_used(side.customer_id) == self.model.billed
            account = side.ledger.billing.page_account(side.customer_id)
            assert (account.limit, account.used) == (self.model.quota, self.model.billed)
            # What was set aside under a quota that was lifted since is given back when the item ends.
            assert account.reserved == self.model.set_aside
            assert side.ledger.billing.differences() == []

    @invariant()
    def never_more_lanes_than_the_cap(self) -> None:
        with self.duckdb._store._database.cursor() as looking:
            assert looking.execute("SELECT count(*) FROM slices").fetchone() == (len(self.model.open_lanes),)
            assert looking.execute("SELECT count(*) - count(DISTINCT item_id) FROM usage").fetchone() == (0,)


def retried(ledger: Ledger, order: Retry) -> int | None:
    try:
        return ledger.batches.retry_failed(order).items
    except BatchCancelling:
        return None


def accepted(verdicts: list[ReportResult]) -> list[bool]:
    return [verdict.accepted for verdict in verdicts]


TestModelledLedgers = ModelledLedgers.TestCase
TestModelledLedgers.settings = settings.get_profile(
    "long" if settings.get_current_profile_name() == "long" else "ledger"
)
