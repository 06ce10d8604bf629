"""How far long items are: told with heartbeats, shown while they run, remembered for the end of their pages."""

from dataclasses import replace
from pathlib import Path

from octavo.batches import ClaimedItem, ItemStatus
from octavo.identifiers import ResultId
from octavo.ledger.contract import ItemProgress, Retry
from octavo.ledger.duckdb import DuckdbLedger
from tests.contract.ledger.world import StandingClock, World, begin, cursor, failed, finish, release

KEPT = ResultId("res_kept")


def told(item: ClaimedItem, done: int, total: int = 300, kept_in: ResultId | None = None) -> ItemProgress:
    return ItemProgress(
        item_id=item.item_id, lease_no=item.lease_no, pages_done=done, pages_total=total, kept_in=kept_in
    )


def running(world: World) -> ClaimedItem:
    (item,) = world.take(world.batch())
    world.say(begin(item))
    return item


def shown(world: World, item: ClaimedItem) -> tuple[int | None, int | None]:
    found = world.item(item)
    return found.pages_done, found.pages_total


def test_a_running_item_shows_how_many_of_its_pages_are_finished(world: World) -> None:
    item = running(world)
    assert shown(world, item) == (None, None)
    world.ledger.work.note_progress([told(item, 17)])
    assert shown(world, item) == (17, 300)
    world.ledger.work.note_progress([told(item, 18)])
    assert shown(world, item) == (18, 300)


def test_progress_is_a_change_that_readers_with_a_cursor_see(world: World) -> None:
    item = running(world)
    before = world.item(item)
    world.ledger.work.note_progress([told(item, 1)])
    (seen,) = world.ledger.batches.items(item.batch_id, after=cursor(before))
    assert (seen.item_id, seen.pages_done) == (item.item_id, 1)
    assert (seen.status, seen.attempts, seen.started_at) == (before.status, before.attempts, before.started_at)
    world.ledger.work.note_progress([told(item, 1)])
    assert world.ledger.batches.items(item.batch_id, after=cursor(seen)) == [], "nothing new leaves no trace"


def test_whoever_watches_a_batch_is_told_of_progress(world: World) -> None:
    item = running(world)
    heard: list[int] = []
    unwatch = world.ledger.batches.watch(item.batch_id, lambda: heard.append(1))
    world.ledger.work.note_progress([told(item, 1)])
    assert heard == [1]
    unwatch()


def test_progress_counts_only_under_the_current_lease_and_while_the_item_runs(world: World) -> None:
    (item,) = world.take(world.batch())
    world.ledger.work.note_progress([told(item, 5)])
    assert shown(world, item) == (None, None), "it has not begun"
    world.say(begin(item))
    world.ledger.work.note_progress([told(replace(item, lease_no=item.lease_no + 1), 5)])
    assert shown(world, item) == (None, None), "nobody has that lease"


def test_an_item_that_begins_again_shows_none_of_its_earlier_life(world: World) -> None:
    item = running(world)
    world.ledger.work.note_progress([told(item, 40)])
    world.say(release(item))
    assert shown(world, item) == (None, None)
    (again,) = world.claim(item.batch_id).slices[0].items
    world.say(begin(again))
    assert shown(world, item) == (None, None)
    world.ledger.work.note_progress([told(item, 41)])
    assert shown(world, item) == (None, None), "a late word"
    world.ledger.work.note_progress([told(again, 42)])
    assert shown(world, item) == (42, 300)


def test_an_item_that_has_ended_shows_no_progress(world: World) -> None:
    item = running(world)
    world.ledger.work.note_progress([told(item, 40)])
    world.say(finish(item))
    assert shown(world, item) == (None, None)
    world.ledger.work.note_progress([told(item, 41)])
    assert (shown(world, item), world.item(item).status) == ((None, None), ItemStatus.SUCCEEDED)


def test_pages_that_were_kept_are_doomed_with_their_batch(world: World) -> None:
    item = running(world)
    world.ledger.work.note_progress([told(item, 40, kept_in=KEPT)])
    world.ledger.work.note_progress([told(item, 50)])
    world.say(finish(item, failed()))
    customer_id = world.customer.customer_id
    numbers = world.ledger.batches.delete(customer_id, item.batch_id)
    assert [(one.customer_id, one.result_id) for one in world.ledger.lifetimes.pending_deletions(10, numbers)] == [
        (customer_id, KEPT)
    ]


def test_pages_of_an_item_that_ended_without_a_result_are_doomed_when_its_time_is_over(world: World) -> None:
    items = world.take(world.batch(3), 3)
    world.say(*map(begin, items))
    world.ledger.work.note_progress([told(item, 40, kept_in=ResultId(f"res_{n}")) for n, item in enumerate(items)])
    world.say(finish(items[0], failed()), finish(items[1]))
    world.clock.go(seconds=3599)
    world.ledger.lifetimes.expire(100)
    assert world.ledger.lifetimes.pending_deletions(10) == [], "the failed one may run again till then"
    world.clock.go(seconds=2)
    world.ledger.lifetimes.expire(100)
    named = {one.result_id for one in world.ledger.lifetimes.pending_deletions(10)}
    assert "res_0" in named
    assert "res_2" not in named, "it is still in work"
    assert world.ledger.lifetimes.expire(100) == 0, "once"


def test_an_item_that_runs_again_keeps_its_pages(world: World) -> None:
    item = running(world)
    world.ledger.work.note_progress([told(item, 40, kept_in=KEPT)])
    world.say(finish(item, failed()))
    world.ledger.batches.retry_failed(Retry(customer_id=world.customer.customer_id, batch_id=item.batch_id))
    world.clock.go(hours=2)
    world.ledger.lifetimes.expire(100)
    assert [one for one in world.ledger.lifetimes.pending_deletions(10) if one.result_id == KEPT] == []


def test_progress_of_items_nobody_knows_is_nothing(world: World) -> None:
    item = running(world)
    world.ledger.work.note_progress([])
    world.ledger.work.note_progress([ItemProgress(item_id=item.item_id, lease_no=99, pages_done=1, pages_total=2)])
    assert shown(world, item) == (None, None)


def test_progress_outlives_the_process(tmp_path: Path) -> None:
    clock = StandingClock()
    ledger = DuckdbLedger(tmp_path / "ledger.duckdb", clock=clock)
    item = running(World(ledger, clock))
    ledger.work.note_progress([told(item, 40, kept_in=KEPT)])
    ledger.close()
    again = World(DuckdbLedger(tmp_path / "ledger.duckdb", clock=clock), clock)
    assert shown(again, item) == (40, 300)
    again.ledger.work.note_progress([told(item, 41)])
    assert shown(again, item) == (41, 300)
    again.ledger.close()
