"""Engines that violate the contract, besides the shipped `failing` one; for a registry."""

from pathlib import Path

from octavo.documents import Box, Document, Figure, Page
from octavo.engines.contract import Availability, Limits, Progress, Reading, Source
from octavo.engines.failing import FailingEngine
from octavo.parse_options import ParseOptions

BOX = Box(0, 0, 1, 1)


class ManyPagesEngine(FailingEngine):
    """Says it has more pages than any document may have."""

    name = "many-pages"

    def extract(
        self, source: Source, options: ParseOptions, limits: Limits, progress: Progress, folder: Path
    ) -> Reading:
        progress.counted(limits.max_pages + 1)
        return Reading(Document((Page(1, 1.0, 1.0),)))


class ScriptImageEngine(FailingEngine):
    """Passes a script off as a PNG."""

    name = "script-image"

    def extract(
        self, source: Source, options: ParseOptions, limits: Limits, progress: Progress, folder: Path
    ) -> Reading:
        figure = Figure(1, 0, BOX, "image/png", 1, 1, 0)
        return Reading(Document((Page(1, 1.0, 1.0),), figures=(figure,)), (b"<script>alert(1)</script>",))


class MissingImageEngine(FailingEngine):
    """Names an image that it does not send."""

    name = "missing-image"

    def extract(
        self, source: Source, options: ParseOptions, limits: Limits, progress: Progress, folder: Path
    ) -> Reading:
        return Reading(Document((Page(1, 1.0, 1.0),), figures=(Figure(1, 0, BOX, "image/png", 1, 1, 7),)))


class UnavailableEngine(FailingEngine):
    """Lacks a program."""

    name = "unavailable"

    def availability(self) -> Availability:
        return Availability(False, "the program frobnicate is not on the path")


REFERENCES = {
    "many-pages": "tests.engines_bad.engines:ManyPagesEngine",
    "script-image": "tests.engines_bad.engines:ScriptImageEngine",
    "missing-image": "tests.engines_bad.engines:MissingImageEngine",
    "unavailable": "tests.engines_bad.engines:UnavailableEngine",
    "greedy": "tests.engines_bad.greedy:GreedyEngine",
    "remembering": "tests.engines_bad.remembering:RememberingEngine",
    "lingering": "tests.engines_bad.lingering:LingeringEngine",
    "probing": "tests.engines_bad.probing:ProbingEngine",
    "reaching": "tests.engines_bad.reaching:ReachingEngine",
}
