"""Items over all batches of a customer: found by their id alone, and listed with filters, in an order, page by page."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from octavo.batch_options import BatchOptions, Dialect, ExtendOptions
from octavo.batches import Batch, Customer, FileStatus, Item, ItemStatus, NewItem, Source, SourceKind
from octavo.errors import ItemNotFound
from octavo.identifiers import BatchId, CustomerId, FileId, ItemId
from octavo.ledger.contract import ItemOrder, ItemPlace, ItemQuery
from octavo.parse_options import PageRange, ParseOptions
from tests.contract.ledger.world import World, failed, finish, ids


def submitted(world: World, *items: NewItem, customer: Customer | None = None, extend: bool = False) -> Batch:
    """A batch of these items, a second after the one before."""
    world.clock.go(seconds=1)
    new = replace(world.order([], customer=customer), items=items)
    if extend:
        new = replace(new, options=BatchOptions(shown=ExtendOptions(config={"target": "markdown"})))
    return world.ledger.batches.create(new)[0]


def of_files(world: World, *names: str) -> list[NewItem]:
    """An item for each of so many fresh files of these names."""
    staged = [replace(file, filename=name) for file, name in zip(world.staged(len(names)), names, strict=True)]
    world.ledger.files.add(staged)
    return list(NewItem.of_files(file.file_id for file in staged))


def listed(world: World, query: ItemQuery) -> list[Item]:
    """All pages of a list, three items on each; no page is asked for after the last full one but one."""
    found: list[Item] = []
    query = replace(query, limit=3)
    while page := world.ledger.batches.items_of_customer(query):
        found += page
        moment = page[-1].created_at if query.order is ItemOrder.CREATED else page[-1].updated_at
        query = replace(query, after=ItemPlace(moment, page[-1].item_id))
    return found


def names(items: Sequence[Item]) -> list[str | None]:
    return [item.source.name for item in items]


@pytest.fixture
def query(world: World) -> ItemQuery:
    return ItemQuery(customer_id=world.customer.customer_id)


def test_an_item_is_found_by_its_id_and_its_customer(world: World) -> None:
    batch = world.batch(2)
    _, second = world.items(batch)
    assert world.ledger.batches.item_of_customer(batch.customer_id, second.item_id) == second
    stranger = world.ledger.accounts.ensure_customer("stranger").customer_id
    for customer_id, item_id in ((stranger, second.item_id), (batch.customer_id, ItemId("item_nowhere"))):
        with pytest.raises(ItemNotFound, match=item_id):
            world.ledger.batches.item_of_customer(customer_id, item_id)


def test_an_item_says_what_it_is_made_of(world: World) -> None:
    (of_file,) = of_files(world, "a.pdf")
    file_ids = world.files(2)
    address = Source(kind=SourceKind.URL, file_id=file_ids[0], name="b.pdf", url="https://example.org/b.pdf")
    text = Source(kind=SourceKind.TEXT, file_id=file_ids[1])
    batch = submitted(
        world, of_file, NewItem(source=address, metadata={"row": 7, "tags": ["x", None]}), NewItem(source=text)
    )
    first, second, third = world.items(batch)
    assert first.source == Source(file_id=of_file.source.file_id, name="a.pdf")
    assert (second.source, second.metadata) == (address, {"row": 7, "tags": ["x", None]})
    assert (third.source, third.metadata) == (text, None)
    assert {item.customer_id for item in (first, second, third)} == {batch.customer_id}


def test_a_batch_and_its_items_know_their_dialect_and_options(world: World) -> None:
    options = BatchOptions(
        parse=ParseOptions(engine="fast", engine_version="1", pages=(PageRange(2, 3),)),
        shown=ExtendOptions(config={"target": "markdown", "chunkingStrategy": {"type": "page"}}),
    )
    new = replace(world.order(world.files()), options=options)
    batch, _ = world.ledger.batches.create(new)
    assert world.now(batch).options == options
    assert world.now(batch).dialect is Dialect.EXTEND
    assert world.items(batch)[0].dialect is Dialect.EXTEND
    assert world.batch().dialect is Dialect.EXTRACT_PAGE


def test_a_file_that_was_deleted_leaves_no_name_behind(world: World) -> None:
    (item,) = of_files(world, "secret plans.pdf")
    batch = submitted(world, item)
    world.work_off(batch)
    world.ledger.files.delete(batch.customer_id, item.source.file_id)
    assert names(world.items(batch)) == [None]


@pytest.mark.parametrize("order", ItemOrder)
@pytest.mark.parametrize("is_ascending", [True, False])
def test_a_list_has_every_item_once_in_its_order(
    world: World, query: ItemQuery, order: ItemOrder, is_ascending: bool
) -> None:
    first, second = submitted(world, *of_files(world, *"abcd")), submitted(world, *of_files(world, *"efgh"))
    for claimed in (*world.take(second, 2), *world.take(first, 1)):
        world.clock.go(seconds=1)
        world.say(finish(claimed))
    found = listed(world, replace(query, order=order, is_ascending=is_ascending))
    assert sorted(ids(found)) == sorted(ids([*world.items(first), *world.items(second)]))
    places = [((item.created_at if order is ItemOrder.CREATED else item.updated_at), item.item_id) for item in found]
    assert all(before < after if is_ascending else before > after for before, after in pairwise(places))


def test_a_list_is_of_one_customer(world: World, query: ItemQuery) -> None:
    other = world.ledger.accounts.ensure_customer("other")
    ours, theirs = world.batch(2), world.batch(2, customer=other)
    assert sorted(ids(listed(world, query))) == ids(world.items(ours))
    assert sorted(ids(listed(world, replace(query, customer_id=other.customer_id)))) == ids(world.items(theirs))
    assert listed(world, replace(query, customer_id=CustomerId("cust_nowhere"))) == []


def test_every_filter_keeps_what_it_names(world: World, query: ItemQuery) -> None:
    first = submitted(world, *of_files(world, "Invoice 1.pdf", "letter.pdf", "photo.png"))
    second = submitted(world, *of_files(world, "invoice 2.pdf"), extend=True)
    done, broken = world.take(first, 2)
    world.say(finish(done), finish(broken, failed()))

    def shown(**filters: object) -> set[str | None]:
        return set(names(listed(world, replace(query, **filters))))  # type: ignore[arg-type]

    assert shown(statuses=[ItemStatus.SUCCEEDED]) == {"Invoice 1.pdf"}
    assert shown(statuses=[ItemStatus.FAILED, ItemStatus.SUCCEEDED]) == {"Invoice 1.pdf", "letter.pdf"}
    assert shown(batch_id=second.batch_id) == shown(dialect=Dialect.EXTEND) == {"invoice 2.pdf"}
    assert shown(batch_id=BatchId("batch_nowhere")) == set()
    assert shown(source_name="letter.pdf") == {"letter.pdf"}
    assert shown(source_name="letter") == set()
    assert shown(source_name_contains="INVOICE") == {"Invoice 1.pdf", "invoice 2.pdf"}
    assert shown(source_name_contains="%") == set(), "a part of a name is no pattern"
    assert shown(source_name_contains="2_pdf") == set()
    assert shown(source_name_contains="2.PDF") == {"invoice 2.pdf"}
    assert shown(created_from=second.created_at) == {"invoice 2.pdf"}
    assert shown(created_before=second.created_at) == {"Invoice 1.pdf", "letter.pdf", "photo.png"}
    assert shown(created_from=second.created_at + timedelta(microseconds=1)) == set()
    assert shown(source_name_contains="invoice", batch_id=first.batch_id) == {"Invoice 1.pdf"}


def test_what_was_listed_goes_with_its_batch(world: World, query: ItemQuery) -> None:
    batch = world.batch(2)
    world.work_off(batch)
    world.ledger.batches.delete(batch.customer_id, batch.batch_id)
    assert listed(world, query) == []


def test_a_file_of_a_batch_must_be_there_whatever_its_items_are_made_of(world: World) -> None:
    pending = world.files(status=FileStatus.PENDING)
    for file_id in (FileId("file_nowhere"), *pending):
        with pytest.raises(Exception, match="files"):
            submitted(world, NewItem(source=Source(kind=SourceKind.URL, file_id=file_id, url="https://example.org")))
