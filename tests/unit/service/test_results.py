"""Results without HTTP: whether one is there is decided once, for all that shows it."""

from datetime import timedelta

import pytest

from octavo.batches import Item
from octavo.errors import BatchNotFound, ItemNotFound, ResultExpired, ResultNotReady
from octavo.identifiers import ItemId, ResultId
from octavo.render.registry import ExtractPage, Markdown
from octavo.service.results import ReadyItem, seconds_left
from tests.unit.service.world import DAY_SECONDS, World, failed, succeeded


def ready(world: World, item: Item) -> ReadyItem:
    return world.results.get(world.customer.customer_id, item.batch_id, item.item_id)


def test_an_item_that_has_succeeded_has_a_result_for_as_long_as_its_batch_keeps_it(world: World) -> None:
    found = ready(world, world.ended(succeeded()))
    assert found.result_id == "res_1"
    assert DAY_SECONDS - 60 < found.seconds_left <= DAY_SECONDS


def test_an_item_that_has_not_succeeded_has_none(world: World) -> None:
    item = world.ended(failed())
    with pytest.raises(ResultNotReady) as refused:
        ready(world, item)
    assert refused.value.facts == {"status": "failed"}


def test_what_is_nobodys_or_anothers_is_not_found(world: World) -> None:
    item = world.ended(succeeded())
    stranger = world.ledger.accounts.ensure_customer("stranger")
    with pytest.raises(BatchNotFound):
        world.results.get(stranger.customer_id, item.batch_id, item.item_id)
    with pytest.raises(ItemNotFound):
        world.results.get(world.customer.customer_id, item.batch_id, ItemId("item_nobody"))


def test_a_result_past_its_retention_is_expired(world: World) -> None:
    world.clock.shift = timedelta(seconds=-DAY_SECONDS - 60)
    item = world.ended(succeeded())
    with pytest.raises(ResultExpired):
        ready(world, item)


def test_an_item_that_has_not_ended_is_kept_for_nothing(world: World) -> None:
    batch = world.submit(world.uploaded())
    (item,) = world.ledger.batches.items(batch.batch_id)
    assert seconds_left(batch, item) == 0.0


def test_the_usual_result_is_linked_to_without_a_look_and_another_needs_the_document(world: World) -> None:
    found = ready(world, world.ended(succeeded()))
    assert "res_1" in world.results.link(world.results.stored(found, ExtractPage()))
    with pytest.raises(ResultExpired):
        world.results.stored(found, ExtractPage(extract_images=False))
    with pytest.raises(ResultExpired):
        world.results.render(found, Markdown())


def test_a_document_is_called_by_its_files_name_or_its_items_id(world: World) -> None:
    found = ready(world, world.ended(succeeded()))
    assert world.results.title(found) == found.item.item_id


def test_a_figure_that_is_not_there_is_not_found(world: World) -> None:
    world.ended(succeeded())
    for result_id, number in (("res_1", 0), ("res_nobody", 0), ("../res_1", 0), ("res_1", -1)):
        with pytest.raises(ItemNotFound):
            world.results.figure(world.customer.customer_id, ResultId(result_id), number)
