"""Who wants to hear of a batch: told by the commits that change it, so that nobody has to look again and again."""

import threading
from collections.abc import Callable, Iterable

from octavo.identifiers import BatchId

Unwatch = Callable[[], None]


class Watches:
    """Those who watch batches of one ledger. Any thread may come and go; `tell` calls on the thread of the commit."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tells: dict[BatchId, dict[object, Callable[[], None]]] = {}

    def add(self, batch_id: BatchId, tell: Callable[[], None]) -> Unwatch:
        """Have `tell` called after every commit that changes the batch; what is returned ends that; safe to repeat.

        `tell` must not block.
        """
        mark = object()
        with self._lock:
            self._tells.setdefault(batch_id, {})[mark] = tell

        def remove() -> None:
            with self._lock:
                tells = self._tells.get(batch_id, {})
                tells.pop(mark, None)
                if not tells:
                    self._tells.pop(batch_id, None)

        return remove

    def tell(self, batch_ids: Iterable[BatchId]) -> None:
        """Tell those who watch these batches."""
        if not self._tells:
            return
        with self._lock:
            tells = [tell for batch_id in batch_ids for tell in self._tells.get(batch_id, {}).values()]
        for one in tells:
            one()
