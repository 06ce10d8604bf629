"""The `auto` engine as the registry sees it; light to import, since the API process lists engines too."""

from pathlib import Path

from octavo.engines.contract import ExtractOptions, Limits, Progress, Reading, Source
from octavo.engines.layout.engine import LayoutEngine

_REVISION = "1"


class AutoEngine(LayoutEngine):
    """`fast` for every page, with the layout model where a page has more than plain prose."""

    name = "auto"

    @property
    def version(self) -> str:
        return f"{_REVISION}-{super().version}"

    def extract(
        self, source: Source, options: ExtractOptions, limits: Limits, progress: Progress, folder: Path
    ) -> Reading:
        # Imported here, because the parsers belong in the nursery and its children alone.
        from octavo.engines.auto.page_selection import needs_layout
        from octavo.engines.layout.model import labelled_regions
        from octavo.engines.pages.page_view import Sight
        from octavo.engines.pages.reading import read
        from octavo.engines.pages.roles.labels import LabelledRegion

        def look(sight: Sight) -> list[LabelledRegion]:
            return labelled_regions(sight) if needs_layout(sight) else []

        return read(source, options, limits, progress, folder, look)
