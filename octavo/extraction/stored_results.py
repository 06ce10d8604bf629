"""Results that are in storage already: what the same version read before, with the same options, is not read again.

A result is whole when all of its objects are there. One that is about to go, or goes meanwhile, is seen by the API,
which gives the item back to be read (octavo/expiry/deletion_guard.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from octavo.documents import SCHEMA_VERSION
from octavo.identifiers import CustomerId, ResultId
from octavo.objects import keys
from octavo.objects.contract import ObjectMissing, ObjectStore, ObjectTooLarge

MAX_DOCUMENT_BYTES = 64 * 1024**2
"""A stored document larger than this is read again: to look through it would take much of what reading takes."""
LOOK_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class _Page:
    status: str


@dataclass(frozen=True, slots=True)
class _Figure:
    image_index: int


@dataclass(frozen=True, slots=True)
class _Summary:
    """As much of a stored document as says whether it may serve again; the rest is passed over."""

    schema_version: int
    pages: Sequence[_Page]
    figures: Sequence[_Figure]


_SUMMARY = TypeAdapter(_Summary)


@dataclass(frozen=True, slots=True)
class StoredResult:
    """A result that is whole."""

    page_count: int


class StoredResults:
    """Looks for results of earlier work. Thread-safe."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    def find(self, customer_id: CustomerId, result_id: ResultId) -> StoredResult | None:
        """Return this result if it is whole and no page of it had failed. Raises StorageUnavailable."""
        try:
            # Most are not there, and then this is the only question.
            data = self._objects.read(
                keys.result_key(customer_id, result_id, "document.json"), max_bytes=MAX_DOCUMENT_BYTES
            )
            found = _SUMMARY.validate_json(data)
        except (ObjectMissing, ObjectTooLarge, ValidationError):
            return None
        if found.schema_version != SCHEMA_VERSION or any(page.status != "ok" for page in found.pages):
            return None
        if not self._are_there(customer_id, result_id, {figure.image_index for figure in found.figures}):
            return None
        return StoredResult(page_count=len(found.pages))

    def _are_there(self, customer_id: CustomerId, result_id: ResultId, images: set[int]) -> bool:
        wanted = [keys.result_key(customer_id, result_id, "extract-page.json")]
        wanted += [keys.result_image_key(customer_id, result_id, number) for number in sorted(images)]
        return len(self._objects.sizes(wanted, time_limit_seconds=LOOK_SECONDS)) == len(wanted)
