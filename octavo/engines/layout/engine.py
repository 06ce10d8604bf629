"""The `layout` engine as the registry sees it; light to import, since the API process lists engines too."""

import importlib
import importlib.util
from importlib.metadata import version
from pathlib import Path

from octavo.engines.contract import Availability, ExtractOptions, Limits, Progress, Reading, Source
from octavo.engines.fast.engine import FastEngine

_REVISION = "1"


class LayoutEngine(FastEngine):
    """As `fast`, with PyMuPDF's layout model on every page that has text."""

    name = "layout"
    # Measured: 330 MiB for a page of 1,500 lines, beyond what the models take once for all children.
    memory_bytes = 640 * 1024**2

    @property
    def version(self) -> str:
        return f"{_REVISION}-{super().version}-onnxruntime{version('onnxruntime')}"

    def availability(self) -> Availability:
        if importlib.util.find_spec("onnxruntime") is None:
            return Availability(False, "the package onnxruntime is not installed")
        return super().availability()

    def preload(self) -> None:
        super().preload()
        importlib.import_module("octavo.engines.layout.model").load()

    def extract(
        self, source: Source, options: ExtractOptions, limits: Limits, progress: Progress, folder: Path
    ) -> Reading:
        # Imported here, because the parsers belong in the nursery and its children alone.
        from octavo.engines.layout.model import labelled_regions
        from octavo.engines.pages.reading import read

        return read(source, options, limits, progress, folder, labelled_regions)
