"""Pages of customers with a quota: billed, set aside for items in progress, left. The one place with this arithmetic.

No storage, no clock. A customer without a quota has no account here and costs one look in a dict.
"""

from collections.abc import Callable, MutableMapping
from dataclasses import dataclass

from octavo.identifiers import CustomerId, ItemId


@dataclass(slots=True)
class QuotaRow:
    """The account of one customer with a quota, as the next commit finds it."""

    limit: int
    used: int


@dataclass(frozen=True, slots=True)
class ReservationRow:
    """Pages set aside for one item in progress."""

    item_id: ItemId
    customer_id: CustomerId
    pages: int


class Quotas:
    """What one commit does to pages that are set aside."""

    def __init__(
        self,
        reservations: MutableMapping[ItemId, ReservationRow],
        account: Callable[[CustomerId], QuotaRow | None],
    ) -> None:
        self._reservations = reservations
        self._account = account
        self.changed: dict[ItemId, ReservationRow] = {}
        self.dropped: set[ItemId] = set()

    def forget_changes(self) -> None:
        """Start again with what has changed: it is stored."""
        self.changed.clear()
        self.dropped.clear()

    def reserve(self, item_id: ItemId, customer_id: CustomerId, pages: int) -> bool:
        """Set so many pages aside for an item, in place of what it had; False when there are not so many."""
        account = self._account(customer_id)
        if account is None:
            self.drop(item_id)
            return True
        held = self._reservations.get(item_id)
        more = pages - (0 if held is None else held.pages)
        # What was promised stays promised, also under a quota that was lowered meanwhile.
        if more > 0 and more > account.limit - account.used - self._reserved(customer_id):
            return False
        self._reservations[item_id] = self.changed[item_id] = ReservationRow(item_id, customer_id, pages)
        return True

    def bill(self, item_id: ItemId, customer_id: CustomerId, pages: int) -> bool:
        """Turn what an item has set aside into usage; False when it needs more, and more than is left."""
        if not self.reserve(item_id, customer_id, pages):
            return False
        self.drop(item_id)
        account = self._account(customer_id)
        if account is not None:
            account.used += pages
        return True

    def drop(self, item_id: ItemId) -> None:
        """Give back what was set aside for an item, if anything was."""
        if self._reservations.pop(item_id, None) is not None:
            self.changed.pop(item_id, None)
            self.dropped.add(item_id)

    def _reserved(self, customer_id: CustomerId) -> int:
        return sum(row.pages for row in self._reservations.values() if row.customer_id == customer_id)
