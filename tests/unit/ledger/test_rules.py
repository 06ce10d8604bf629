"""The arithmetic of claims and the stamps of commits."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from octavo.batch_options import BatchOptions
from octavo.batches import BatchStatus, NewBatch, NewItem
from octavo.identifiers import BatchId, CustomerId, FileId
from octavo.ledger.rules import Capacity, Stamp, new_batch_row

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)

few = st.integers(-2, 12)


@given(customer=few, worker=few, lanes=st.integers(0, 12), items=st.integers(1, 60), each=st.integers(1, 9))
def test_a_claim_opens_as_many_even_slices_as_room_and_items_allow(
    customer: int, worker: int, lanes: int, items: int, each: int
) -> None:
    batch = new_batch_row(
        NewBatch(
            batch_id=BatchId("b"),
            customer_id=CustomerId("c"),
            items=NewItem.of_files((FileId("f"),) * items),
            engine=None,
            options=BatchOptions(),
            metadata=None,
        ),
        NOON,
    )
    room = Capacity(customer=customer, worker=worker, run=lanes)
    sizes = room.sizes(batch, each)
    assert len(sizes) == max(0, min(customer, worker, lanes, items))
    if sizes:
        assert sum(sizes) == min(items, len(sizes) * each)
        assert 1 <= min(sizes) <= max(sizes) <= min(sizes) + 1 <= each + 1
    batch.unleased -= sum(sizes)
    if room.at_cap(batch):
        assert batch.unleased
        assert len(sizes) == max(0, customer)
    batch.status = BatchStatus.CANCELLING
    assert room.sizes(batch, each) == []
    assert not room.at_cap(batch)


@given(seconds=st.lists(st.integers(-5, 5)))
def test_stamps_grow_whatever_the_clock_does(seconds: list[int]) -> None:
    now, last = NOON, NOON
    for step in seconds:
        now += timedelta(seconds=step)
        stamp = Stamp(now, last)
        assert stamp() == stamp() > last
        assert stamp() == now or now <= last
        last = stamp()


def test_a_stamp_nobody_asked_for_is_not_used() -> None:
    stamp = Stamp(NOON, NOON)
    assert not stamp.used
    stamp()
    assert stamp.used
