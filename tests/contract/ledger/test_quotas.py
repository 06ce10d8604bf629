"""Page quotas: pages are reserved before they are read, then billed once or released, never above the quota."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from octavo.batches import Batch, ClaimedItem
from octavo.errors import CustomerNotFound, StaleLease
from octavo.identifiers import CustomerId
from octavo.ledger.contract import LimitName, PageAccount, Reservation
from tests.contract.ledger.world import RUN, WORKER, World, begin, failed, finish, release, success


def reserve(world: World, item: ClaimedItem, pages: int) -> bool:
    return world.ledger.billing.reserve(Reservation(item_id=item.item_id, lease_no=item.lease_no, pages=pages))


def give_quota(world: World, pages: int | None) -> None:
    world.ledger.accounts.set_limits(world.customer.customer_id, {"page_quota": pages})


def account(world: World) -> PageAccount:
    return world.ledger.billing.page_account(world.customer.customer_id)


def in_work(world: World, count: int = 1, *, quota: int = 10) -> list[ClaimedItem]:
    give_quota(world, quota)
    return world.take(world.batch(count), count)


def test_an_item_says_whether_its_pages_must_be_reserved(world: World) -> None:
    batch = world.batch(3)
    (free,) = world.take(batch)
    give_quota(world, 10)
    (bound,) = world.take(batch)
    give_quota(world, None)
    (free_again,) = world.take(batch)
    assert [item.reserves_pages for item in (free, bound, free_again)] == [False, True, False]


def test_pages_are_set_aside_then_billed(world: World) -> None:
    (item,) = in_work(world)
    assert reserve(world, item, 4)
    assert account(world) == PageAccount(limit=10, used=0, reserved=4)
    world.say(finish(item, success(pages=4)))
    assert account(world) == PageAccount(limit=10, used=4, reserved=0)


def test_a_reservation_begins_the_item_once(world: World) -> None:
    (item,) = in_work(world)
    assert reserve(world, item, 1)
    found = world.item(item)
    assert (found.status.value, found.attempts) == ("running", 1)
    world.say(begin(item))
    assert world.item(item).attempts == 1


def test_more_pages_than_are_left_are_refused_and_nothing_is_set_aside(world: World) -> None:
    first, second = in_work(world, 2)
    assert reserve(world, first, 7)
    assert not reserve(world, second, 4)
    assert world.item(second).status.value == "pending"
    assert reserve(world, second, 3)
    assert account(world).reserved == 10


def test_the_last_word_about_an_items_pages_counts(world: World) -> None:
    (item,) = in_work(world)
    assert reserve(world, item, 4)
    assert reserve(world, item, 4)
    assert reserve(world, item, 10)
    assert not reserve(world, item, 11)
    assert account(world).reserved == 10
    assert reserve(world, item, 2)
    assert account(world).reserved == 2


def run_out(world: World) -> object:
    world.clock.go(seconds=91)
    return world.ledger.work.expire_leases()


ENDS: list[tuple[str, Callable[[World, ClaimedItem], object]]] = [
    ("failed", lambda world, item: world.say(finish(item, failed()))),
    ("given back", lambda world, item: world.say(release(item))),
    ("worker lost", lambda world, item: world.ledger.work.revoke(worker_id=WORKER)),
    ("run ended", lambda world, item: world.ledger.runs.end(RUN)),
    ("lease run out", lambda world, item: run_out(world)),
]


@pytest.mark.parametrize("end", [end for _, end in ENDS], ids=[name for name, _ in ENDS])
def test_pages_are_given_back_when_an_item_ends_otherwise(world: World, end: Callable[..., object]) -> None:
    (item,) = in_work(world)
    assert reserve(world, item, 10)
    end(world, item)
    assert account(world) == PageAccount(limit=10, used=0, reserved=0)


def test_a_cancel_gives_back_the_pages_of_what_does_not_finish(world: World) -> None:
    give_quota(world, 10)
    batch = world.batch(2)
    first, second = world.take(batch, 2)
    assert reserve(world, first, 4)
    assert reserve(world, second, 6)
    world.ledger.batches.cancel(batch.customer_id, batch.batch_id)
    assert account(world).reserved == 10  # both are running, and finish
    world.say(release(first), finish(second, success(pages=6)))
    assert [item.status.value for item in world.items(batch)] == ["cancelled", "succeeded"]
    assert account(world) == PageAccount(limit=10, used=6, reserved=0)


def test_a_late_worker_sets_nothing_aside(world: World) -> None:
    (item,) = in_work(world)
    world.ledger.work.revoke(worker_id=WORKER)
    for late in (item, *world.take(world.now(_batch_of(world, item)))):
        if late is item:
            with pytest.raises(StaleLease):
                reserve(world, late, 1)
        else:
            assert reserve(world, late, 10)
    world.say(finish(item, success(pages=10)))
    assert account(world) == PageAccount(limit=10, used=0, reserved=10)


def _batch_of(world: World, item: ClaimedItem) -> Batch:
    return world.ledger.batches.get(item.customer_id, item.batch_id)


def test_an_item_that_has_ended_sets_nothing_aside(world: World) -> None:
    (item,) = in_work(world)
    world.say(finish(item, success(pages=1)))
    with pytest.raises(StaleLease):
        reserve(world, item, 1)


def test_a_success_that_never_reserved_is_billed_if_there_are_pages_left(world: World) -> None:
    first, second = in_work(world, 2)
    world.say(finish(first, success(pages=10)))
    assert world.item(first).status.value == "succeeded"
    world.say(finish(second, success(pages=1)))
    assert (world.item(second).status.value, world.item(second).error_code) == ("failed", "payment_required")
    assert world.item(second).page_count is None
    assert account(world).used == 10


def test_a_success_with_more_pages_than_were_counted_is_never_billed_over_the_quota(world: World) -> None:
    (item,) = in_work(world)
    assert reserve(world, item, 1)
    world.say(finish(item, success(pages=11)))
    assert world.item(item).error_code == "payment_required"
    assert account(world) == PageAccount(limit=10, used=0, reserved=0)


def test_what_is_set_aside_for_others_is_not_billed_to_one(world: World) -> None:
    first, second = in_work(world, 2)
    assert reserve(world, first, 6)
    world.say(finish(second, success(pages=5)))
    assert world.item(second).error_code == "payment_required"
    world.say(finish(first, success(pages=6)))
    assert account(world) == PageAccount(limit=10, used=6, reserved=0)


def test_a_quota_that_is_lowered_keeps_what_was_promised(world: World) -> None:
    first, second = in_work(world, 2)
    assert reserve(world, first, 6)
    give_quota(world, 3)
    assert not reserve(world, second, 1)
    world.say(finish(first, success(pages=6)))
    assert world.item(first).status.value == "succeeded"
    assert (account(world).used, account(world).remaining) == (6, 0)


def test_a_quota_that_is_raised_is_felt_at_once(world: World) -> None:
    (item,) = in_work(world, quota=0)
    assert not reserve(world, item, 1)
    give_quota(world, 1)
    assert reserve(world, item, 1)


def test_a_quota_counts_what_was_used_before_it_was_given(world: World) -> None:
    first, second = world.take(world.batch(2), 2)
    world.say(finish(first, success(pages=8)))
    give_quota(world, 10)
    assert not reserve(world, second, 3)
    assert reserve(world, second, 2)


def test_a_quota_that_is_lifted_lets_everything_through(world: World) -> None:
    (item,) = in_work(world)
    assert reserve(world, item, 10)
    give_quota(world, None)
    assert reserve(world, item, 500)
    world.say(finish(item, success(pages=500)))
    assert account(world) == PageAccount(limit=None, used=500, reserved=0)
    assert account(world).remaining is None


def test_a_repeated_success_is_billed_once(world: World) -> None:
    (item,) = in_work(world)
    assert reserve(world, item, 5)
    for _ in range(3):
        assert world.say(finish(item, success(pages=5)))[0].accepted
    assert account(world).used == 5


def test_a_quota_is_one_customers(world: World) -> None:
    give_quota(world, 5)
    other = world.ledger.accounts.ensure_customer("other")
    world.ledger.accounts.set_limits(other.customer_id, {"page_quota": 5})
    (ours,) = world.take(world.batch())
    (theirs,) = world.take(world.batch(customer=other))
    assert reserve(world, ours, 5)
    assert reserve(world, theirs, 5)


def test_eight_items_at_once_never_go_over_the_quota_together(world: World) -> None:
    items = in_work(world, 8, quota=20)

    def work(item: ClaimedItem) -> bool:
        if not reserve(world, item, 3):
            world.say(finish(item, failed("payment_required")))
            return False
        assert account(world).used + account(world).reserved <= 20
        world.say(finish(item, success(pages=3)))
        return True

    with ThreadPoolExecutor(8) as pool:
        served = sum(pool.map(work, items))
    assert served == 6
    assert account(world) == PageAccount(limit=20, used=18, reserved=0)


@pytest.mark.parametrize(
    ("name", "value"),
    [("page_quota", -1), ("submissions_per_minute", 0), ("retention_seconds", 0)],
)
def test_a_limit_under_which_nothing_could_be_done_is_refused(world: World, name: LimitName, value: int) -> None:
    with pytest.raises(ValueError, match=name):
        world.ledger.accounts.set_limits(world.customer.customer_id, {name: value})
    assert world.ledger.accounts.customer(world.customer.customer_id) == world.customer


def test_limits_that_are_not_named_stay(world: World) -> None:
    customer_id = world.customer.customer_id
    assert world.ledger.accounts.set_limits(customer_id, {"page_quota": 7, "retention_seconds": 60}).page_quota == 7
    found = world.ledger.accounts.set_limits(customer_id, {"submissions_per_minute": 5, "page_quota": None})
    assert (found.submissions_per_minute, found.page_quota, found.retention_seconds) == (5, None, 60)
    assert world.ledger.accounts.customer(customer_id) == found
    assert world.ledger.accounts.update_customer(customer_id, item_cap=2).retention_seconds == 60


def test_an_unknown_customer_has_no_account(world: World) -> None:
    with pytest.raises(CustomerNotFound):
        world.ledger.billing.page_account(CustomerId("cust_x"))
    with pytest.raises(CustomerNotFound):
        world.ledger.accounts.set_limits(CustomerId("cust_x"), {"page_quota": 1})


def test_pages_are_never_negative(world: World) -> None:
    (item,) = in_work(world)
    with pytest.raises(ValueError, match="pages"):
        reserve(world, item, -1)
