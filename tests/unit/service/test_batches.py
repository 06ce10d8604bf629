"""Batches without HTTP: cursors, and when a retry asks for a run."""

import pytest

from octavo.batches import BatchStatus
from octavo.errors import BatchNotFound, InvalidCursor, QuotaExceeded
from octavo.ledger.contract import Retry
from tests.unit.service.world import World, failed


def test_pages_of_batches_lead_to_each_other_newest_first(world: World) -> None:
    made = [world.submit(world.uploaded()).batch_id for _ in range(3)]
    first = world.batches.page(world.customer, None, None, limit=2)
    assert [batch.batch_id for batch in first.batches] == made[:0:-1]
    last = world.batches.page(world.customer, None, first.next_cursor, limit=2)
    assert ([batch.batch_id for batch in last.batches], last.next_cursor) == (made[:1], None)


def test_a_batch_has_no_next_cursor_once_nothing_more_can_come(world: World) -> None:
    batch_id = world.submit(world.uploaded(), world.uploaded()).batch_id
    before = world.batches.state(world.customer.customer_id, batch_id, None, limit=1)
    assert (len(before.items), before.is_news) == (1, True)
    assert before.next_cursor is not None
    assert world.batches.cancel(world.customer, batch_id).status is BatchStatus.CANCELLED
    after = world.batches.state(world.customer.customer_id, batch_id, before.next_cursor, limit=10)
    assert (len(after.items), after.next_cursor, after.is_news) == (2, None, True)


def test_a_state_without_a_change_keeps_its_cursor_and_is_no_news(world: World) -> None:
    batch_id = world.submit(world.uploaded()).batch_id
    cursor = world.batches.state(world.customer.customer_id, batch_id, None, limit=10).next_cursor
    again = world.batches.state(world.customer.customer_id, batch_id, cursor, limit=10)
    assert (again.items, again.next_cursor, again.is_news) == ([], cursor, False)


def test_a_cursor_of_another_list_is_refused(world: World) -> None:
    one, other = (world.submit(world.uploaded()).batch_id for _ in range(2))
    cursor = world.batches.state(world.customer.customer_id, one, None, limit=10).next_cursor
    with pytest.raises(InvalidCursor):
        world.batches.state(world.customer.customer_id, other, cursor, limit=10)
    with pytest.raises(InvalidCursor):
        world.batches.page(world.customer, None, cursor, limit=10)


def test_a_strangers_batch_is_not_found(world: World) -> None:
    batch_id = world.submit(world.uploaded()).batch_id
    stranger = world.ledger.accounts.ensure_customer("stranger")
    with pytest.raises(BatchNotFound):
        world.batches.state(stranger.customer_id, batch_id, None, limit=10)
    with pytest.raises(BatchNotFound):
        world.batches.cancel(stranger, batch_id)


def test_a_retry_of_a_batch_that_had_ended_asks_for_a_run(world: World) -> None:
    batch_id = world.ended(failed()).batch_id
    asked = Retry(customer_id=world.customer.customer_id, batch_id=batch_id)
    found = world.batches.retry_failed(world.customer, asked)
    assert found.retried.items == 1
    assert found.next_cursor is not None
    assert world.runs.started == [batch_id, batch_id]


def test_a_retry_that_means_nothing_asks_for_no_run(world: World) -> None:
    batch_id = world.ended(failed()).batch_id
    asked = Retry(customer_id=world.customer.customer_id, batch_id=batch_id, codes=frozenset({"internal_error"}))
    found = world.batches.retry_failed(world.customer, asked)
    assert (found.retried.items, found.next_cursor) == (0, None)
    assert world.runs.started == [batch_id]


def test_failed_pages_alone_are_read_again_without_a_page_of_the_quota(world: World) -> None:
    batch_id = world.ended(failed()).batch_id
    customer = world.limited(0)
    items = Retry(customer_id=customer.customer_id, batch_id=batch_id, codes=None)
    with pytest.raises(QuotaExceeded):
        world.batches.retry_failed(customer, items)
    pages = Retry(customer_id=customer.customer_id, batch_id=batch_id, codes=frozenset(), failed_pages=True)
    assert world.batches.retry_failed(customer, pages).retried.items == 0
