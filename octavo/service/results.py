"""Results: whether the result of an item is there, and the ways to it."""

import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import IO

from octavo.batch_options import Dialect
from octavo.batches import Batch, Item, ItemStatus
from octavo.errors import ItemNotFound, ResultExpired, ResultNotReady
from octavo.identifiers import BatchId, CustomerId, ItemId, ResultId
from octavo.ledger.contract import BatchLedger, FileLedger, LifetimeLedger
from octavo.objects import keys
from octavo.objects.contract import ObjectMissing, ObjectStore
from octavo.render.registry import ExtractPage, Rendering
from octavo.results.renderings import StoredRenderings
from octavo.timestamps import now

LOOK_SECONDS = 10.0
"""How long storage may take to say whether an object is there."""
LARGEST_OBJECT_BYTES = 1024**3
"""Of a result, a figure or a page image."""


@dataclass(frozen=True, slots=True)
class ReadyItem:
    """An item whose result is there."""

    batch: Batch
    item: Item
    result_id: ResultId
    seconds_left: float
    """How long the result is still kept; more than nothing."""

    @property
    def engine(self) -> str:
        """The engine that read the document, with its version."""
        parse = self.batch.options.parse
        return self.item.engine or f"{parse.engine} {parse.engine_version}"


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object in storage that a customer may have."""

    key: str
    media_type: str
    seconds_left: float
    """How long it is still kept."""


@dataclass(frozen=True, slots=True)
class Results:
    """Finds results and makes links to them."""

    batches: BatchLedger
    files: FileLedger
    lifetimes: LifetimeLedger
    objects: ObjectStore
    link_seconds: int
    """How long a link lives, unless the result is deleted before."""

    def get(self, customer_id: CustomerId, batch_id: BatchId, item_id: ItemId) -> ReadyItem:
        """Return an item with its result. Raises BatchNotFound, ItemNotFound, ResultNotReady, ResultExpired."""
        batch = self.batches.get(customer_id, batch_id)
        item = self.batches.item(batch_id, item_id)
        if item.status is not ItemStatus.SUCCEEDED or item.result_id is None:
            raise ResultNotReady(
                "Only a succeeded item has a result; see its status and error.", status=item.status.value
            )
        left = seconds_left(batch, item)
        if left <= 0:
            raise expired()
        return ReadyItem(batch, item, item.result_id, left)

    def title(self, ready: ReadyItem) -> str:
        """Return what people call the document: its file's name where that is known."""
        file = self.files.find(ready.batch.customer_id, [ready.item.file_id]).get(ready.item.file_id)
        return (file.filename if file else None) or ready.item.item_id

    def stored(self, ready: ReadyItem, shown: Rendering) -> StoredObject:
        """Return a rendering, which is made and stored if it is not there yet.

        Raises ResultExpired, StorageUnavailable.
        """
        return StoredObject(self.key(ready, shown), shown.media_type, ready.seconds_left)

    def render(self, ready: ReadyItem, shown: Rendering) -> bytes:
        """Return a rendering itself. Raises ResultExpired, StorageUnavailable."""
        renderings = StoredRenderings(self.objects)
        try:
            return renderings.make(ready.batch.customer_id, ready.result_id, shown, engine=ready.engine)
        except ObjectMissing:
            raise expired() from None

    def key(self, ready: ReadyItem, shown: Rendering) -> str:
        """Return the object key of a rendering that is there. Raises ResultExpired, StorageUnavailable."""
        renderings, customer_id = StoredRenderings(self.objects), ready.batch.customer_id
        if shown == ExtractPage() and ready.batch.dialect is Dialect.EXTRACT_PAGE:
            # Written with every result since the first version, and never deleted before it.
            return renderings.key(customer_id, ready.result_id, shown)
        try:
            return renderings.provide(customer_id, ready.result_id, shown, engine=ready.engine)
        except ObjectMissing:
            raise expired() from None

    def figure(self, customer_id: CustomerId, result_id: ResultId, number: int) -> StoredObject:
        """Return a figure of one of the customer's results. Raises ItemNotFound, ResultExpired."""
        try:
            # The key contains the customer's own id, so nobody else's results can be reached.
            key = keys.result_image_key(customer_id, result_id, number)
        except ValueError as error:
            raise ItemNotFound("There is no such image.") from error
        expires_at = self.lifetimes.result_expires_at(customer_id, result_id)
        if expires_at is None:
            raise ItemNotFound("There is no such image; use the `image_url` of a result's chunk.")
        left = (expires_at - now()).total_seconds()
        if left <= 0:
            raise expired()
        if not self.objects.sizes([key], time_limit_seconds=LOOK_SECONDS):
            raise ItemNotFound("There is no such image; a result's images are deleted with the result.")
        # Storage forgets types; browsers know an image by its bytes.
        return StoredObject(key, "application/octet-stream", left)

    def link(self, found: StoredObject) -> str:
        """Return a link to an object, which ends before the object does."""
        seconds = max(1, min(self.link_seconds, int(found.seconds_left)))
        return self.objects.presign_get(found.key, expires_seconds=seconds, content_type=found.media_type).url

    def open(self, found: StoredObject) -> IO[bytes]:
        """Return an object's bytes in a file that is gone once it is closed.

        Raises ResultExpired, StorageUnavailable.
        """
        with tempfile.TemporaryDirectory(prefix="octavo-stored-") as folder:
            path = Path(folder) / "object"
            try:
                self.objects.download(found.key, path, max_bytes=LARGEST_OBJECT_BYTES)
            except ObjectMissing:
                raise expired() from None
            return path.open("rb")


def seconds_left(batch: Batch, item: Item) -> float:
    """Return how long the result of an item is still kept; nothing is left of one that has not ended."""
    if item.completed_at is None:
        return 0.0
    return (item.completed_at + timedelta(seconds=batch.retention_seconds) - now()).total_seconds()


def expired() -> ResultExpired:
    """Return the error for a result that was there once."""
    return ResultExpired("The retention of the result has ended and it was deleted; submit the file again.")
