"""An engine that was taken over: it keeps the bytes of every document, and gives them away with the next one."""

import os
from pathlib import Path

from octavo.documents import Block, Box, Document, Page
from octavo.engines.contract import Limits, Progress, Reading, Source
from octavo.engines.failing import FailingEngine
from octavo.parse_options import ParseOptions

_seen: list[str] = []


class RememberingEngine(FailingEngine):
    """Returns its process id, then what it has read in this process so far, each in a block."""

    name = "remembering"

    def extract(
        self, source: Source, options: ParseOptions, limits: Limits, progress: Progress, folder: Path
    ) -> Reading:
        _seen.append(source.path.read_text())
        texts = [str(os.getpid()), *_seen]
        blocks = tuple(Block(1, order, "paragraph", text, Box(0, 0, 1, 1)) for order, text in enumerate(texts))
        return Reading(Document((Page(1, 1.0, 1.0),), blocks))
