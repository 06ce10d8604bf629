"""The options of a batch as one item needs them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from octavo.batches import ClaimedItem
from octavo.engines.office.kinds import declared_kind
from octavo.parse_options import ParseOptions
from octavo.render.registry import ExtractPage, Rendering


@dataclass(frozen=True, slots=True)
class ItemOptions:
    """How an item's document is read, and what is shown of it."""

    parse: ParseOptions
    rendering: Rendering

    @classmethod
    def of_batch(cls, options: Mapping[str, object]) -> "ItemOptions":
        """Read them from a batch's effective options."""
        return cls(
            ParseOptions(engine=str(options["engine"])),
            ExtractPage(
                extract_text=bool(options["extract_text"]),
                extract_images=bool(options["extract_images"]),
            ),
        )

    def of_item(self, item: ClaimedItem) -> "ItemOptions":
        """Return them with what is known of one item: the same text is another document as .csv than as .txt."""
        declared = declared_kind(item.filename, item.content_type)
        return replace(self, parse=replace(self.parse, declared_type=declared))
