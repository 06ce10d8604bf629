"""Usage by day, and the audit that recounts it; each difference is planted in a DuckDB file and found."""

from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest

from octavo.ledger.contract import DifferenceKind, UsageDay, UsageTotals
from octavo.ledger.duckdb import DuckdbLedger
from tests.contract.ledger.world import StandingClock, World, begin, failed, finish, success

TODAY = date(2026, 11, 23)
TOMORROW = date(2026, 11, 24)


def test_usage_is_summed_by_day_and_customer(world: World) -> None:
    other = world.ledger.accounts.ensure_customer("other")
    first, second = world.take(world.batch(2), 2)
    (third,) = world.take(world.batch())
    (theirs,) = world.take(world.batch(customer=other))
    world.say(finish(first, success(pages=2)), finish(third, success(pages=5)), finish(theirs, success(pages=7)))
    world.clock.moment = datetime(2026, 11, 24, 0, 0, 0, tzinfo=UTC)
    world.say(finish(second, success(pages=1)))
    ours = world.customer.customer_id
    days = [
        UsageDay(customer_id=ours, date=TODAY, pages=7, items=2, batches=2),
        UsageDay(customer_id=ours, date=TOMORROW, pages=1, items=1, batches=1),
    ]
    assert world.ledger.billing.usage(TODAY, TOMORROW, ours) == days
    assert world.ledger.billing.usage(TODAY, TODAY, ours) == days[:1]
    assert world.ledger.billing.usage(TOMORROW, TOMORROW, ours) == days[1:]
    assert world.ledger.billing.usage(date.min, date.max, ours) == days
    everyone = world.ledger.billing.usage(TODAY, TODAY)
    assert {(one.customer_id, one.pages) for one in everyone} == {(ours, 7), (other.customer_id, 7)}


def test_what_failed_is_no_usage(world: World) -> None:
    (item,) = world.take(world.batch())
    world.say(begin(item), finish(item, failed()))
    assert world.ledger.billing.usage(date.min, date.max) == []


def test_a_bill_that_is_right_has_no_difference(world: World) -> None:
    batch = world.batch(3)
    first, second, _ = world.take(batch, 3)
    world.say(finish(first, success(pages=0)), finish(second, failed()))
    world.ledger.batches.cancel(batch.customer_id, batch.batch_id)
    assert world.ledger.billing.differences() == []
    assert world.ledger.billing.totals() == UsageTotals(items=1, pages=0, gone_items=0)


def test_results_that_are_still_kept_come_page_by_page(world: World) -> None:
    batch = world.batch(4)
    items = world.take(batch, 4)
    world.say(
        *(finish(item, success(pages=number)) for number, item in enumerate(items[:3])), finish(items[3], failed())
    )
    first = world.ledger.billing.billed_results(None, 2)
    rest = world.ledger.billing.billed_results(first[-1].item_id, 2)
    assert [one.pages for one in (*first, *rest)] == [0, 1, 2]
    assert {one.customer_id for one in first} == {world.customer.customer_id}
    world.clock.go(seconds=batch.retention_seconds + 1)
    assert world.ledger.billing.billed_results(None, 10) == []


# Planted differences

K = DifferenceKind
PLANTED: list[tuple[DifferenceKind, str]] = [
    (K.NOT_BILLED, "DELETE FROM usage WHERE item_id = (SELECT min(item_id) FROM usage)"),
    (K.NO_ITEM, "DELETE FROM items WHERE item_id = (SELECT min(item_id) FROM usage)"),
    (K.NOT_SUCCEEDED, "UPDATE items SET status = 'failed' WHERE item_id = (SELECT min(item_id) FROM usage)"),
    (
        K.OTHER_BATCH,
        "UPDATE usage SET batch_id = (SELECT max(batch_id) FROM batches) WHERE pages = 2",
    ),
    (K.OTHER_CUSTOMER, "UPDATE usage SET customer_id = 'cust_x' WHERE item_id = (SELECT min(item_id) FROM usage)"),
    (K.OTHER_PAGES, "UPDATE usage SET pages = pages + 1 WHERE item_id = (SELECT min(item_id) FROM usage)"),
    (
        K.OTHER_MOMENT,
        "UPDATE usage SET created_at = created_at - INTERVAL 1 DAY WHERE pages = 2",
    ),
]
OF_RESULTS = {K.RESULT_MISSING, K.RESULT_UNREADABLE, K.OTHER_RESULT_PAGES}
"""Those need storage; `tests/unit/api/admin/test_usage_audit.py` plants them."""


@pytest.fixture
def path(tmp_path: Path, clock: StandingClock) -> Path:
    """A closed ledger file with two batches, two billed items, one failed one and one under way."""
    found = tmp_path / "ledger.duckdb"
    ledger = DuckdbLedger(found, clock=clock)
    world = World(ledger, clock)
    first, second, third = world.take(world.batch(3), 3)
    clock.go(seconds=1)
    world.say(finish(first, success(pages=2)), finish(second, success(pages=3)), finish(third, failed()))
    world.take(world.batch())
    ledger.close()
    return found


def differences(path: Path, *statements: str) -> list[DifferenceKind]:
    with duckdb.connect(path) as file:
        for statement in statements:
            file.execute(statement)
    ledger = DuckdbLedger(path)
    try:
        return [one.kind for one in ledger.billing.differences()]
    finally:
        ledger.close()


def test_nothing_planted_is_nothing_found(path: Path) -> None:
    assert differences(path) == []


@pytest.mark.parametrize(("kind", "statement"), PLANTED, ids=[kind.value for kind, _ in PLANTED])
def test_a_planted_difference_is_found_and_no_other(path: Path, kind: DifferenceKind, statement: str) -> None:
    assert differences(path, statement) == [kind]


def test_the_bill_of_a_batch_that_is_gone_stays_and_is_counted(path: Path) -> None:
    gone = "(SELECT batch_id FROM usage LIMIT 1)"
    with duckdb.connect(path) as file:
        file.execute(f"DELETE FROM items WHERE batch_id = {gone}")  # noqa: S608
        file.execute(f"DELETE FROM batches WHERE batch_id = {gone}")  # noqa: S608
    assert differences(path) == []
    ledger = DuckdbLedger(path)
    assert ledger.billing.totals() == UsageTotals(items=2, pages=5, gone_items=2)
    ledger.close()


def test_several_differences_of_one_item_are_all_found(path: Path) -> None:
    sql = dict(PLANTED)
    found = differences(path, sql[K.OTHER_MOMENT], sql[K.OTHER_CUSTOMER], sql[K.OTHER_PAGES])
    assert found == [K.OTHER_CUSTOMER, K.OTHER_MOMENT, K.OTHER_PAGES]


def test_every_kind_of_difference_is_planted_somewhere() -> None:
    assert {kind for kind, _ in PLANTED} | OF_RESULTS == set(DifferenceKind)
