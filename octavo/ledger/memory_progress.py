"""`ProgressLedger` in memory."""

import threading
from collections.abc import Sequence

from octavo.ledger import rules
from octavo.ledger.progress import ItemProgress


class MemoryProgress:
    """What `MemoryLedger` does with how far work has come."""

    def _enter(self) -> threading.RLock:
        raise NotImplementedError

    def _work(self) -> rules.Work:
        raise NotImplementedError

    def _commit(self, work: rules.Work) -> None:
        raise NotImplementedError

    def note_progress(self, told: Sequence[ItemProgress]) -> None:
        with self._enter():
            work = self._work()
            for one in told:
                work.progress(one)
            self._commit(work)
