"""How far work has come that takes long, as a worker tells it with its heartbeat."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from octavo.identifiers import ItemId, ResultId


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemProgress:
    """So many of an item's pages are finished; counts only while `lease_no` is the item's current lease."""

    item_id: ItemId
    lease_no: int
    pages_done: int
    pages_total: int
    kept_in: ResultId | None = None
    """Under which result to be finished pages lie in storage, if any do."""


class ProgressLedger(Protocol):
    """Part of `Ledger`."""

    def note_progress(self, told: Sequence[ItemProgress]) -> None:
        """Let running items show how far they are; what comes late, or changes nothing, leaves no trace.

        Counts of an item begin anew with its next start. Where its pages are kept is remembered, and doomed with
        the item or, if it ends without a result, when its retention has passed.
        """
        ...
