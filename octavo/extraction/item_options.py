"""The options of a batch as one item needs them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from octavo.batch_options import BatchOptions
from octavo.batches import ClaimedItem
from octavo.engines.office.kinds import declared_kind
from octavo.parse_options import ParseOptions
from octavo.render.registry import Rendering, rendering_of


@dataclass(frozen=True, slots=True)
class ItemOptions:
    """How an item's document is read, and what is shown of it."""

    parse: ParseOptions
    rendering: Rendering

    @classmethod
    def of_batch(cls, options: Mapping[str, object]) -> "ItemOptions":
        """Read them from a batch's effective options; the worker's engine may have another version by now."""
        asked = BatchOptions.of_values(options)
        return cls(replace(asked.parse, engine_version=None), rendering_of(asked))

    def of_item(self, item: ClaimedItem) -> "ItemOptions":
        """Return them with what is known of one item: the same text is another document as .csv than as .txt."""
        declared = declared_kind(item.filename, item.content_type)
        return replace(self, parse=replace(self.parse, declared_type=declared))
