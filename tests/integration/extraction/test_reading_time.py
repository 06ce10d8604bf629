"""How long a document was read is told without its wait for a child."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from octavo.engines.contract import Limits, Source
from octavo.engines.registry import EngineRegistry
from octavo.extraction.extractor import Extractor
from octavo.parse_options import ParseOptions
from tests.observers import Observing

HELD_SECONDS = 4.0
"""A multiple of what reading takes, on a busy machine too."""


def test_waiting_for_a_child_is_no_reading(tmp_path: Path, samples: Path) -> None:
    # Counted in, eight lanes before two children would look like slow documents, and slices would get small.
    has_begun, may_go_on = threading.Event(), threading.Event()

    def hold() -> None:
        has_begun.set()
        assert may_go_on.wait(240)

    source = Source(samples / "two-columns.pdf", filename="two-columns.pdf")
    with Extractor(processes=1, limits=Limits(), registry=EngineRegistry()) as extractor:
        extractor.warm_up()
        extractor.extract(source, ParseOptions())
        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(extractor.extract, source, ParseOptions(), Observing(on_begin=hold))
            assert has_begun.wait(240)
            second = pool.submit(extractor.extract, source, ParseOptions())
            threading.Event().wait(HELD_SECONDS)
            may_go_on.set()
            assert first.result(240).seconds < HELD_SECONDS
            assert second.result(240).seconds < HELD_SECONDS
