"""A test engine that waits and returns one page: a stand-in for a remote service in dispatch benches.

The seconds come from the engine's name (`sleep:0.05`), else from `OCTAVO_SLEEP_SECONDS`, else 1. Never
registered unless the registry is asked for test engines.
"""

import math
import os
import threading
from pathlib import Path

from octavo.documents import Block, Box, Document, Page
from octavo.engines.contract import (
    AVAILABLE,
    Availability,
    EngineKind,
    Limits,
    Progress,
    Reading,
    Source,
)
from octavo.parse_options import ParseOptions

_LONGEST_SECONDS = 3600.0


class SleepEngine:
    """Waits `seconds` and returns a page that says so."""

    version = "1"
    licence = "AGPL-3.0-or-later"
    kind: EngineKind = "remote"
    languages: tuple[str, ...] = ()
    memory_bytes = 0
    is_repeatable = False

    def __init__(self, seconds: str | None = None) -> None:
        # The parameter is part of the name, as a batch's options carry the name from the API to the worker.
        self.name = "sleep" if seconds is None else f"sleep:{seconds}"
        self._seconds = float(seconds or os.environ.get("OCTAVO_SLEEP_SECONDS", "1"))
        if not (math.isfinite(self._seconds) and 0 <= self._seconds <= _LONGEST_SECONDS):
            raise ValueError("seconds must lie within 0..3600")

    def availability(self) -> Availability:
        return AVAILABLE

    def preload(self) -> None:
        pass

    def extract(
        self, source: Source, options: ParseOptions, limits: Limits, progress: Progress, folder: Path
    ) -> Reading:
        progress.counted(1)
        threading.Event().wait(self._seconds)
        text = f"slept {self._seconds} seconds"
        block = Block(page_no=1, order=0, role="paragraph", text=text, bbox=Box(72, 72, 300, 84))
        return Reading(Document(pages=(Page(1, 595.0, 842.0),), blocks=(block,)))
