"""Shows the API what lies in storage, so that it finds what nobody names; the worker lists, the API decides."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice

from octavo.client.worker import WorkerClient
from octavo.objects import keys
from octavo.objects.contract import ObjectInfo, ObjectStore
from octavo.timestamps import now

SHOWN_AT_ONCE = 2000
UNFINISHED_UPLOAD_AGE = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tidied:
    """What went, and why nothing did."""

    objects: int
    uploads: int
    batches: int
    files: int
    objection: str | None


class Sweeper:
    """What the flow `expire` works with."""

    def __init__(self, client: WorkerClient, objects: ObjectStore) -> None:
        self._client = client
        self._objects = objects

    def tidy(self, is_draining: Callable[[], bool]) -> Tidied:
        """Sweep storage and have the ledger forget old records; raises StorageUnavailable, ServiceUnreachable."""
        batches = files = 0
        while not is_draining():
            forgotten = self._client.forget()
            batches += forgotten.batches
            files += forgotten.files
            if not forgotten.batches and not forgotten.files:
                break
        objects, objection = self._sweep(is_draining)
        uploads = 0 if is_draining() else self._objects.drop_unfinished_uploads(now() - UNFINISHED_UPLOAD_AGE)
        return Tidied(objects=objects, uploads=uploads, batches=batches, files=files, objection=objection)

    def _sweep(self, is_draining: Callable[[], bool]) -> tuple[int, str | None]:
        deleted = 0
        stored = self._stored()
        while not is_draining() and (shown := tuple(islice(stored, SHOWN_AT_ONCE))):
            swept = self._client.sweep(shown)
            deleted += swept.deleted
            if swept.objection is not None:
                return deleted, swept.objection
        return deleted, None

    def _stored(self) -> Iterator[ObjectInfo]:
        # The archive first: what it tells of and the ledger does not know is an objection to all the rest.
        for prefix in (keys.BATCHES, keys.RESULTS, keys.INPUTS):
            yield from self._objects.list(prefix)
