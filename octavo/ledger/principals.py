"""Who holds which key, remembered from one request to the next: it is asked at every one and changes hardly ever."""

import threading
from collections.abc import Callable

from octavo.ledger.contract import Principal

MOST_REMEMBERED = 10_000


class Principals:
    """What was found lately, by the digest of the key; forgotten with every change of customers or keys."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, Principal] = {}
        self._changes = 0

    def remembered(self, digest: str) -> Principal | None:
        """Return who holds the key where that is remembered."""
        return self._known.get(digest)

    def find(self, digest: str, look: Callable[[], Principal | None]) -> Principal | None:
        """Return who holds the key; `look` is asked where that is not remembered. Raises what `look` does."""
        found = self.remembered(digest)
        if found is not None:
            return found
        changes = self._changes
        found = look()
        with self._lock:
            # What was looked up while something changed may be what was before.
            if found is not None and changes == self._changes:
                if len(self._known) >= MOST_REMEMBERED:
                    self._known.clear()
                self._known[digest] = found
        return found

    def forget(self) -> None:
        """Forget everything: a change of customers or keys was committed."""
        with self._lock:
            self._changes += 1
            self._known.clear()
