"""Work that is done twice: a worker that comes late writes what is there already."""

from pathlib import Path

from octavo.batches import ClaimedItem
from octavo.engines.contract import Limits
from octavo.engines.registry import EngineRegistry
from octavo.extraction.extractor import Extractor
from octavo.extraction.item_options import ItemOptions
from octavo.extraction.items import ItemWork
from octavo.identifiers import BatchId, CustomerId, FileId, ItemId
from octavo.objects.memory import MemoryObjects
from octavo.outcomes import Outcome, Succeeded
from octavo.parse_options import ParseOptions
from octavo.render.registry import ExtractPage
from octavo.samples import make_photo, make_report, make_scan
from tests.observers import Following


def test_work_that_is_done_twice_writes_the_same_bytes_under_the_same_keys(tmp_path: Path) -> None:
    """So a worker that was thought dead cannot damage a result that somebody has read."""
    objects = MemoryObjects()
    for name, make in {"report": make_report, "scan": make_scan, "photo": make_photo}.items():
        make(tmp_path / name)
        objects.write(f"in/cust_1/2026-11-23/{name}", (tmp_path / name).read_bytes(), "application/octet-stream")

    def written() -> dict[str, bytes]:
        return {found.key: objects.read(found.key, max_bytes=10**8) for found in objects.list("results/")}

    with Extractor(processes=1, limits=Limits(), registry=EngineRegistry.installed()) as reader:
        work = ItemWork(objects, reader, folder=tmp_path)
        for name in ("report", "scan", "photo"):
            assert isinstance(do(work, claimed(tmp_path / name)), Succeeded)
        first = written()
        assert len(first) >= 6
        for name in ("report", "scan", "photo"):
            do(work, claimed(tmp_path / name))
    assert written() == first


OPTIONS = ItemOptions(ParseOptions(engine="fast"), ExtractPage())


def do(work: ItemWork, item: ClaimedItem) -> Outcome:
    with work.fetch(item) as found:
        return work.do(item, found, OPTIONS, Following(), in_fresh_child=True)


def claimed(path: Path) -> ClaimedItem:
    return ClaimedItem(
        item_id=ItemId("item_1"),
        batch_id=BatchId("batch_1"),
        customer_id=CustomerId("cust_1"),
        file_id=FileId("file_1"),
        position=0,
        lease_no=1,
        attempts=0,
        lost_leases=0,
        object_key=f"in/cust_1/2026-11-23/{path.name}",
        filename=None,
        content_type=None,
        size_bytes=path.stat().st_size,
    )
