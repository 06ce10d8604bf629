"""An engine over the page pipeline, as the registry sees it: the pipeline, and a policy that says what differs.

Light to import, since the API process lists engines too: what parses is imported in `preload` and `extract`.
"""

import importlib
import importlib.util
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from octavo.engines.contract import (
    AVAILABLE,
    Availability,
    EngineKind,
    Limits,
    Progress,
    Reading,
    Source,
)
from octavo.engines.pages.thresholds.pipeline import PipelineThresholds
from octavo.parse_options import ParseOptions

if TYPE_CHECKING:
    from octavo.engines.pages.page_view import RegionDetector

_REVISION = "3"
_PACKAGES = ("pymupdf", "ocrmypdf", "magic", "PIL", "liteparse", "docling_rs", "pillow_heif")
_VERSIONED = ("pymupdf", "ocrmypdf", "liteparse", "docling-rs")
"""Distributions whose version may change what is read."""
_PROGRAM = "tesseract"


def no_regions(_: PipelineThresholds) -> "RegionDetector":
    """Return a detector that tells nothing."""
    from octavo.engines.pages.page_view import NoRegions

    return NoRegions()


@dataclass(frozen=True, slots=True)
class PagesPolicy:
    """What tells one engine over the page pipeline from another.

    `make_detector` is called in the process that parses, before it forks and again at each document: it loads what
    it needs once. `revisions` go before the pipeline's own version, the versions of `packages` after it.
    """

    name: str
    memory_bytes: int
    """What a child needs for one document as a rule, as `Engine.memory_bytes` says it."""
    make_detector: Callable[[PipelineThresholds], "RegionDetector"] = no_regions
    revisions: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    """Packages that the pipeline itself does not need."""
    thresholds: PipelineThresholds = field(default_factory=PipelineThresholds)
    """Another value changes what is read, and so needs another revision."""


class PagesEngine:
    """Reads PDF and image files page by page, and office documents, as its policy says."""

    licence = "AGPL-3.0-or-later"
    kind: EngineKind = "local"
    languages: tuple[str, ...] = ("eng",)

    def __init__(self, policy: PagesPolicy) -> None:
        self._policy = policy

    @property
    def name(self) -> str:
        return self._policy.name

    @property
    def memory_bytes(self) -> int:
        return self._policy.memory_bytes

    @property
    def version(self) -> str:
        pipeline = [_REVISION, *(f"{name}{version(name)}" for name in _VERSIONED)]
        return "-".join(
            [*self._policy.revisions, *pipeline, *(f"{name}{version(name)}" for name in self._policy.packages)]
        )

    def availability(self) -> Availability:
        for package in (*self._policy.packages, *_PACKAGES):
            if importlib.util.find_spec(package) is None:
                return Availability(False, f"the package {package} is not installed")
        if shutil.which(_PROGRAM) is None:
            return Availability(False, f"the program {_PROGRAM} is not on the path")
        return AVAILABLE

    def preload(self) -> None:
        importlib.import_module("octavo.engines.pages.reading")
        importlib.import_module("octavo.engines.pages.rendering")
        self._policy.make_detector(self._policy.thresholds)

    def extract(
        self, source: Source, options: ParseOptions, limits: Limits, progress: Progress, folder: Path
    ) -> Reading:
        # Imported here, because the parsers belong in the fork server and its children alone.
        from octavo.engines.pages.reading import DocumentReader

        reader = DocumentReader(
            limits=limits,
            progress=progress,
            folder=folder,
            languages=self.languages,
            detector=self._policy.make_detector(self._policy.thresholds),
            thresholds=self._policy.thresholds,
        )
        return reader.read(source)
