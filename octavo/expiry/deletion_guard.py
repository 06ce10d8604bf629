"""Keeps the deletion of a result apart from reports of new work with the same result.

The same bytes and options give the same key (docs/adr/0011-result-keys.md). A worker writes the result
and then reports; in between no item refers to it, and its bytes may be deleted when an older item expires.
"""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from octavo.identifiers import ResultId
from octavo.ledger.contract import Report, ReportKind
from octavo.objects import keys
from octavo.objects.contract import ObjectStore
from octavo.outcomes import Succeeded

REMEMBERED_SECONDS = 600.0
"""Longer than a worker takes from its first write to its report, including an outage of the API."""

WRITING_SECONDS = 30.0
"""Longer than a worker takes to write one result."""


@dataclass(frozen=True, slots=True)
class _Deleted:
    prefix: str
    parts: int
    at: float


class DeletionGuard:
    """Reports and deletions of one API process. Thread-safe."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects
        self._moved = threading.Condition()
        self._deleting: Counter[ResultId] = Counter()
        self._reported: Counter[ResultId] = Counter()
        self._deleted: dict[ResultId, _Deleted] = {}

    @contextlib.contextmanager
    def deleting(self, result_ids: Sequence[ResultId]) -> Iterator[None]:
        """Hold back reports that refer to these results, after waiting for those in progress.

        Check inside whether an item refers to one; the answer then stays true.
        """
        with self._moved:
            self._deleting.update(result_ids)
            self._moved.wait_for(lambda: not any(result_id in self._reported for result_id in result_ids))
        try:
            yield
        finally:
            self._take_out(self._deleting, result_ids)

    def note_deleted(self, parts: Mapping[ResultId, tuple[str, int]]) -> None:
        """Record how many parts of which results were deleted, under which prefix; call inside `deleting`."""
        moment = time.monotonic()
        with self._moved:
            for result_id in list(self._deleted):
                if moment - self._deleted[result_id].at < REMEMBERED_SECONDS:
                    break
                del self._deleted[result_id]
            for result_id, (prefix, count) in parts.items():
                self._deleted.pop(result_id, None)
                self._deleted[result_id] = _Deleted(prefix, count, moment)

    @contextlib.contextmanager
    def reporting(self, reports: Sequence[Report]) -> Iterator[list[Report]]:
        """Yield the reports as the ledger may accept them: work whose result was deleted meanwhile is given back.

        Raises StorageUnavailable if it cannot be checked whether a result is there.
        """
        named = [report.outcome.result_id for report in reports if isinstance(report.outcome, Succeeded)]
        with self._moved:
            self._moved.wait_for(lambda: not any(result_id in self._deleting for result_id in named))
            self._reported.update(named)
        try:
            yield [self._release(report) if self._has_lost(report) else report for report in reports]
        finally:
            self._take_out(self._reported, named)

    def _has_lost(self, report: Report) -> bool:
        if not isinstance(report.outcome, Succeeded):
            return False
        with self._moved:
            deleted = self._deleted.get(report.outcome.result_id)
        if deleted is None:
            return False
        there = [info.key for info in self._objects.list(deleted.prefix)]
        # Some parts may have been written before the deletion and some after it. Later, what has a document is
        # complete; a rendering alone may have been made of the deleted document.
        least = deleted.parts if time.monotonic() - deleted.at < WRITING_SECONDS else 1
        return not keys.has_document(there) or keys.count_result_parts(there) < least

    @staticmethod
    def _release(report: Report) -> Report:
        return replace(report, kind=ReportKind.RELEASE, outcome=None)

    def _take_out(self, counts: Counter[ResultId], result_ids: Sequence[ResultId]) -> None:
        with self._moved:
            counts.subtract(result_ids)
            for result_id in result_ids:
                if counts[result_id] <= 0:
                    del counts[result_id]
            self._moved.notify_all()
