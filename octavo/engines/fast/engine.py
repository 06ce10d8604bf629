"""The `fast` engine as the registry sees it; light to import, since the API process lists engines too."""

import importlib.util
import shutil
from importlib.metadata import version
from pathlib import Path

from octavo.engines.contract import (
    AVAILABLE,
    Availability,
    EngineKind,
    ExtractOptions,
    Limits,
    Progress,
    Reading,
    Source,
)

_REVISION = "3"
_PACKAGES = ("pymupdf", "ocrmypdf", "magic", "PIL", "liteparse", "docling_rs", "pillow_heif")


class FastEngine:
    """PyMuPDF's text layer and ruled tables; OCRmyPDF with Tesseract for pages that have no usable text."""

    name = "fast"
    licence = "AGPL-3.0-or-later"
    kind: EngineKind = "local"
    languages: tuple[str, ...] = ("eng",)
    # Measured: 150 MiB for a scanned page; pages of the largest size allowed take 150 MB for each copy of them.
    memory_bytes = 512 * 1024**2

    @property
    def version(self) -> str:
        parts = ("pymupdf", "ocrmypdf", "liteparse", "docling-rs")
        return "-".join([_REVISION, *(f"{name}{version(name)}" for name in parts)])

    def availability(self) -> Availability:
        for package in _PACKAGES:
            if importlib.util.find_spec(package) is None:
                return Availability(False, f"the package {package} is not installed")
        if shutil.which("tesseract") is None:
            return Availability(False, "the program tesseract is not on the path")
        return AVAILABLE

    def preload(self) -> None:
        importlib.import_module("octavo.engines.pages.reading")
        importlib.import_module("octavo.engines.pages.rendering")

    def extract(
        self, source: Source, options: ExtractOptions, limits: Limits, progress: Progress, folder: Path
    ) -> Reading:
        # Imported here, because the parsers belong in the nursery and its children alone.
        from octavo.engines.pages.reading import read

        return read(source, options, limits, progress, folder)
