"""What the DuckDB ledger does beyond the contract: its file, its writer, its schema."""

import os
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from octavo.batches import BatchStatus
from octavo.errors import BatchNotFound, DataDirectoryInUse, LedgerDamaged, LedgerTooNew, LedgerUnavailable
from octavo.identifiers import BatchId, CustomerId, ItemId
from octavo.ledger.duckdb import DuckdbLedger, database, writer
from octavo.ledger.duckdb.database import FileDatabase
from octavo.ledger.duckdb.statements import Migration, migrations
from octavo.ledger.duckdb.table import Table
from octavo.ledger.duckdb.tables import TABLES, USAGE
from octavo.ledger.duckdb.transaction import Transaction
from octavo.ledger.duckdb.writer import each
from octavo.ledger.rows import UsageRow
from tests.contract.ledger.killing import kill_while_writing
from tests.contract.ledger.world import RUN, StandingClock, World, begin, failed, finish, success


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "ledger.duckdb"


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture
def ledger(path: Path, clock: StandingClock) -> Iterator[DuckdbLedger]:
    opened = DuckdbLedger(path, clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def world(ledger: DuckdbLedger, clock: StandingClock) -> World:
    return World(ledger, clock)


# The file ---------------------------------------------------------------------------------


def everything(world: World) -> list[object]:
    customer_id = world.customer.customer_id
    batches = world.ledger.batches.of_customer(customer_id)
    files = [item.file_id for batch in batches for item in world.items(batch)]
    return [
        world.ledger.accounts.customers(),
        world.ledger.accounts.keys(customer_id),
        world.ledger.accounts.principal("digest"),
        batches,
        [world.items(batch) for batch in batches],
        world.ledger.files.find(customer_id, files),
        world.ledger.runs.open_batches(),
        world.ledger.runs.get(RUN),
        world.ledger.work.workers(),
        world.ledger.batches.replay(customer_id, "k", "body"),
        world.pages(),
    ]


def test_a_reopened_ledger_has_kept_everything(world: World, path: Path) -> None:
    world.ledger.accounts.add_key(world.customer.customer_id, prefix="ok", digest="digest")
    world.ledger.batches.create(world.order(world.files(2), key="k"))
    batch = world.batch(5)
    world.run(batch)
    done, broken, _ = world.take(batch, 3)
    world.say(finish(done), finish(broken, failed()))
    before = everything(world)
    world.ledger.close()
    world.ledger = DuckdbLedger(path, clock=world.clock)
    try:
        assert everything(world) == before
        assert len(world.claim(batch).slices) == 2
    finally:
        world.ledger.close()


@pytest.mark.parametrize("last", ["a batch", "an item", "a cancel"])
def test_after_reopening_updated_at_goes_on_from_the_last_commit(world: World, path: Path, last: str) -> None:
    batch = world.batch(2)
    (item,) = world.take(batch)
    if last != "a batch":
        world.clock.go(seconds=1)
        world.say(begin(item), finish(item))
    if last == "a cancel":
        world.clock.go(seconds=1)
        world.ledger.batches.cancel(batch.customer_id, batch.batch_id)
    latest = world.clock()
    world.ledger.close()
    world.clock.go(hours=-1)
    world.ledger = DuckdbLedger(path, clock=world.clock)
    try:
        assert world.batch().created_at > latest
    finally:
        world.ledger.close()


def test_only_the_owner_may_read_the_file_and_its_log(world: World, path: Path) -> None:
    def modes() -> dict[str, int]:
        return {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in path.parent.iterdir()}

    assert modes() == {"ledger.duckdb": 0o600, "ledger.duckdb.wal": 0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    with duckdb.connect(path, config=database.SETTINGS) as same_process:
        same_process.execute("CHECKPOINT")
    assert modes() == {"ledger.duckdb": 0o600}
    world.batch()
    assert modes() == {"ledger.duckdb": 0o600, "ledger.duckdb.wal": 0o600}


def test_opening_does_not_change_what_the_process_makes_elsewhere(ledger: DuckdbLedger, tmp_path: Path) -> None:
    before = os.umask(0)
    os.umask(before)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.touch()
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o666 & ~before


_OPEN = """
import sys
from pathlib import Path
from octavo.errors import OperationError
from octavo.ledger.duckdb import DuckdbLedger
try:
    DuckdbLedger(Path(sys.argv[1]))
except OperationError as error:
    print(error.code, error.message)
"""


def test_a_second_process_is_refused(ledger: DuckdbLedger, path: Path) -> None:
    second = subprocess.run(
        [sys.executable, "-c", _OPEN, str(path)], capture_output=True, text=True, check=True, timeout=240
    )
    assert second.stdout.startswith("data_directory_in_use ")
    assert "stop the other" in second.stdout
    assert ledger.accounts.ensure_customer("still works").name == "still works"


def test_a_second_ledger_in_the_same_process_is_refused(ledger: DuckdbLedger, path: Path) -> None:
    with pytest.raises(DataDirectoryInUse):
        DuckdbLedger(path)
    ledger.close()
    DuckdbLedger(path).close()


def test_a_file_that_is_no_ledger_is_refused_with_its_name(tmp_path: Path) -> None:
    wrong = tmp_path / "ledger.duckdb"
    wrong.write_text("this is a letter")
    for _ in range(2):
        with pytest.raises(LedgerDamaged, match=r"ledger\.duckdb"):
            DuckdbLedger(wrong)


@pytest.mark.parametrize("kept", [0, 100, 4096, 12_289, 0.25, 0.75])
def test_a_file_that_was_cut_off_is_damaged_and_the_message_says_how_to_restore_it(
    world: World, path: Path, kept: float
) -> None:
    for _ in range(10):
        world.batch(20)
    world.ledger.close()
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole) if 0 < kept < 1 else kept)])
    for _ in range(2):
        with pytest.raises(LedgerDamaged, match=f"octavo ledger rebuild --force --data {path.parent}"):
            DuckdbLedger(path)
    path.write_bytes(whole)
    DuckdbLedger(path).close()


def test_a_ledger_that_is_damaged_while_it_is_open_says_so_to_whoever_reads_it(
    ledger: DuckdbLedger,
) -> None:
    def damaged(_: object) -> None:
        raise duckdb.IOException("Corrupt database file: computed checksum 1 does not match stored checksum 2")

    with pytest.raises(LedgerUnavailable, match="rebuild --force"):
        ledger._store.read(damaged)


def test_nothing_is_ever_fetched(ledger: DuckdbLedger) -> None:
    with ledger._store._database.cursor() as looking:
        for setting in (
            "autoinstall_known_extensions",
            "autoload_known_extensions",
            "allow_community_extensions",
            "enable_external_access",
        ):
            assert looking.execute(f"SELECT current_setting('{setting}')").fetchone() == (False,)


@pytest.mark.timeout(900)
def test_killed_in_the_middle_of_writing_nothing_acknowledged_is_lost(path: Path) -> None:
    """Ten times here; `python -m bench.ledger_kills` does it fifty times."""
    assert len(kill_while_writing(path, (40, 15, 60, 1, 25, 10, 33, 5, 20, 50))) >= 250


# The writer -------------------------------------------------------------------------------


class HeldWriter:
    """Holds the writer in a commit of its own, so that all that is asked meanwhile makes one group."""

    def __init__(self, ledger: DuckdbLedger, pool: ThreadPoolExecutor) -> None:
        self._writer = ledger._store.writer
        self._pool = pool
        self._go = threading.Event()
        entered = threading.Event()

        def hold(tx: Transaction, _: None) -> None:
            entered.set()
            assert self._go.wait(120)

        self._held = pool.submit(self._writer.submit, each(hold), None)
        assert entered.wait(120)
        self._asked = 0

    def ask(self, act: Callable[[], object]) -> "Future[object]":
        """Ask in a thread of its own; returns once it waits for the writer."""
        future = self._pool.submit(act)
        self._asked += 1
        with self._writer._lock:
            assert self._writer._arrived.wait_for(lambda: len(self._writer._waiting) == self._asked, 30)
        return future

    def go(self) -> None:
        self._go.set()
        self._held.result(120)


@pytest.fixture
def held(ledger: DuckdbLedger, world: World) -> Iterator[Callable[[], HeldWriter]]:
    with ThreadPoolExecutor(16) as pool:
        yield lambda: HeldWriter(ledger, pool)


def test_what_waits_is_committed_together(held: Callable[[], HeldWriter], world: World) -> None:
    batch = world.batch(4)
    items = world.take(batch, 4)
    group = held()
    answers = [group.ask(lambda item=item: world.say(begin(item))) for item in items]  # type: ignore[misc]
    group.go()
    for answer in answers:
        answer.result(120)
    assert len({world.item(item).updated_at for item in items}) == 1


def test_when_one_command_fails_in_duckdb_the_others_of_its_group_are_committed(
    held: Callable[[], HeldWriter], world: World
) -> None:
    batch = world.batch(2)
    first, second = world.take(batch, 2)
    known, fresh = world.staged(2)
    world.ledger.files.add([known])
    group = held()
    good = group.ask(lambda: world.say(finish(first)))
    bad = group.ask(lambda: world.ledger.files.add([fresh, known]))
    also_good = group.ask(lambda: world.say(finish(second)))
    group.go()
    with pytest.raises(ValueError, match="already"):
        bad.result(120)
    good.result(120)
    also_good.result(120)
    assert world.now(batch).status is BatchStatus.COMPLETED
    assert world.pages() == 4
    assert world.ledger.files.find(world.customer.customer_id, [fresh.file_id]) == {}


def test_a_refusal_in_a_group_is_the_asker_s_alone(held: Callable[[], HeldWriter], world: World) -> None:
    batch = world.batch()
    group = held()
    good = group.ask(lambda: world.claim(batch).slices)
    bad = group.ask(lambda: world.claim(BatchId("batch_nowhere")))
    group.go()
    with pytest.raises(BatchNotFound):
        bad.result(120)
    assert good.result(120)


def test_a_failing_command_does_not_end_the_writer(world: World) -> None:
    order = world.order(world.files())
    with pytest.raises(TypeError):
        world.ledger.batches.create(replace(order, metadata={"not json": object()}))
    assert world.ledger.batches.of_customer(world.customer.customer_id) == []
    assert world.ledger.batches.create(order)[1]


def test_a_full_queue_makes_callers_wait_and_at_last_refuses(
    held: Callable[[], HeldWriter], world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "MAX_WAITING", 1)
    group = held()
    waiting = group.ask(lambda: world.ledger.accounts.ensure_customer("waits"))
    monkeypatch.setattr(writer, "MAX_WAIT_SECONDS", 0.05)
    with pytest.raises(LedgerUnavailable, match="keep up"):
        world.ledger.accounts.ensure_customer("refused")
    group.go()
    waiting.result(120)
    assert "refused" not in {customer.name for customer in world.ledger.accounts.customers()}


def test_closing_commits_what_waits(
    held: Callable[[], HeldWriter], world: World, ledger: DuckdbLedger, path: Path
) -> None:
    group = held()
    waiting = group.ask(lambda: world.ledger.accounts.ensure_customer("waits"))
    with ThreadPoolExecutor(1) as pool:
        closing = pool.submit(ledger.close)
        group.go()
        closing.result(120)
    waiting.result(120)
    again = DuckdbLedger(path)
    assert "waits" in {customer.name for customer in again.accounts.customers()}
    again.close()


# The schema -------------------------------------------------------------------------------


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_the_migrations_make_the_columns_the_records_have(ledger: DuckdbLedger, table: Table[Any]) -> None:
    """By name, by type, and a column without NULL is a field that is never None."""
    with ledger._store._database.cursor() as looking:
        found = looking.execute(f"PRAGMA table_info('{table.name}')").fetchall()
    schema = {row[1]: (row[2].replace("INTEGER", "BIGINT"), row[3]) for row in found if row[1] not in table.unread}
    assert {name: kind for name, (kind, _) in schema.items()} == {one.name: one.sql_type for one in table.columns}
    never_null = {name for name, (_, is_never_null) in schema.items() if is_never_null}
    assert never_null <= {one.name for one in table.columns if not one.is_nullable}
    assert table.unread <= {row[1] for row in found}


def test_every_table_is_described(ledger: DuckdbLedger) -> None:
    with ledger._store._database.cursor() as looking:
        found = {row[0] for row in looking.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    assert found == {*TABLES, "schema_migrations"}


def test_every_migration_is_recorded_once(ledger: DuckdbLedger, path: Path) -> None:
    ledger.close()
    DuckdbLedger(path).close()
    with duckdb.connect(path) as looking:
        recorded = looking.execute("SELECT version, name FROM schema_migrations ORDER BY version").fetchall()
    assert recorded == [(step.version, step.name) for step in migrations()]


def test_a_ledger_of_a_newer_version_is_refused(ledger: DuckdbLedger, path: Path) -> None:
    ledger.close()
    with duckdb.connect(path) as newer:
        newer.execute("INSERT INTO schema_migrations VALUES (999, 'from_the_future', now())")
    for _ in range(2):
        with pytest.raises(LedgerTooNew, match="999"):
            DuckdbLedger(path)


def test_a_migration_that_fails_leaves_the_schema_as_it_was(ledger: DuckdbLedger, path: Path) -> None:
    customer_id = ledger.accounts.ensure_customer("kept").customer_id
    ledger.close()
    number = migrations()[-1].version + 1
    half = Migration(number, "half", "CREATE TABLE half (a INTEGER); SELECT * FROM nowhere;")
    with pytest.raises(LedgerUnavailable, match="half"):
        FileDatabase(path, (*migrations(), half))
    with duckdb.connect(path) as looking:
        assert looking.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'half'").fetchone() == (0,)
    kept = DuckdbLedger(path)
    assert kept.accounts.customer(CustomerId(customer_id)).name == "kept"
    kept.close()


def test_usage_refuses_a_second_row_for_an_item(world: World, ledger: DuckdbLedger) -> None:
    (item,) = world.take(world.batch())
    world.say(finish(item, success(pages=3)))

    def bill_again(tx: Transaction, item_id: ItemId) -> None:
        again = UsageRow(
            item_id=item_id,
            batch_id=BatchId("b"),
            customer_id=world.customer.customer_id,
            pages=3,
            created_at=tx.now,
        )
        USAGE.insert_rows(tx, [again])

    with pytest.raises(ValueError, match="already"):
        ledger._store.writer.submit(each(bill_again), item.item_id)
    assert world.pages() == 3


def test_five_thousand_pending_items_outlive_a_kill_and_are_worked_off_once(world: World, path: Path) -> None:
    batch = world.batch(5000)
    world.say(*map(begin, world.take(batch, 8)))
    killed = path.parent / "killed"
    killed.mkdir()
    for left in path.parent.glob(f"{path.name}*"):
        shutil.copy(left, killed / left.name)
    opened = DuckdbLedger(killed / path.name, clock=world.clock)
    try:
        again = World(opened, world.clock)
        again.customer = world.customer
        for worker_id in opened.work.workers():
            opened.work.revoke(worker_id=worker_id)
        (found,) = opened.runs.open_batches()
        assert (found.unleased, found.batch.counts.pending) == (5000, 5000)
        done = 0
        while slices := again.claim(batch, slice_items=100).slices:
            items = [item for one in slices for item in one.items]
            again.say(*map(begin, items), *map(finish, items))
            done += len(items)
        assert done == 5000
        assert (again.now(batch).status, again.pages()) == (BatchStatus.COMPLETED, 10_000)
    finally:
        opened.close()
