"""Inputs and results with bytes, as workers leave them."""

from dataclasses import replace

from octavo.batches import Batch, ClaimedItem, StagedFile
from octavo.identifiers import ResultId
from octavo.objects import keys
from octavo.objects.memory import MemoryObjects
from octavo.outcomes import Succeeded
from tests.contract.ledger.world import World, finish, success


def inputs(world: World, objects: MemoryObjects, count: int, *, hours: float = 72) -> list[StagedFile]:
    """Staged files with their bytes under the keys the API gives."""
    staged = [
        replace(file, object_key=keys.input_key(file.customer_id, world.clock().date(), file.file_id))
        for file in world.staged(count, hours=hours)
    ]
    world.ledger.files.add(staged)
    for file in staged:
        objects.write(file.object_key, b"bytes", "application/pdf")
    return staged


def outcome(name: str) -> Succeeded:
    return replace(success(), result_id=ResultId(name))


def write_result(world: World, objects: MemoryObjects, name: str, images: int = 1) -> None:
    """What a worker writes before it reports."""
    customer_id, result_id = world.customer.customer_id, ResultId(name)
    objects.write(keys.result_key(customer_id, result_id, "document.json"), b"{}", "application/json")
    objects.write(keys.result_key(customer_id, result_id, "extract-page.json"), b"{}", "application/json")
    for number in range(images):
        objects.write(keys.result_image_key(customer_id, result_id, number), b"png", "image/png")


def worked_off(world: World, objects: MemoryObjects, batch: Batch, *names: str) -> list[ClaimedItem]:
    """Bring the items of a batch to these results."""
    items = world.take(batch, len(names))
    for item, name in zip(items, names, strict=True):
        write_result(world, objects, name)
        world.say(finish(item, outcome(name)))
    return items


def stored(objects: MemoryObjects, prefix: str) -> list[str]:
    return sorted(info.key for info in objects.list(prefix))
