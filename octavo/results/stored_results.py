"""Results that are in storage already: what was read before with the same options of reading is not read again.

A result is whole when its document and every figure of it are there; a rendering can be made of these. One that is
about to be deleted, or is deleted meanwhile, is seen by the API, which gives the item back to be read
(octavo/expiry/deletion_guard.py).
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
    """A result of which there is a document."""

    serves: bool
    """Whether it is whole and no page of it had failed. Otherwise the same bytes are read again, in its place."""
    page_count: int = 0
    document_json: bytes = b""
    is_rendered: bool = False
    """Whether the rendering that was looked for is there."""


_BROKEN = StoredResult(serves=False)


class StoredResults:
    """Looks for results of earlier work. Thread-safe."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    def find(self, customer_id: CustomerId, result_id: ResultId, rendering_key: str) -> StoredResult | None:
        """Return what is there of this result; None without a document. Raises StorageUnavailable."""
        try:
            # Most are not there, and then this is the only question.
            data = self._objects.read(
                keys.result_key(customer_id, result_id, "document.json"), max_bytes=MAX_DOCUMENT_BYTES
            )
            found = _SUMMARY.validate_json(data)
        except ObjectMissing:
            return None
        except (ObjectTooLarge, ValidationError):
            return _BROKEN
        if found.schema_version != SCHEMA_VERSION or any(page.status != "ok" for page in found.pages):
            return _BROKEN
        images = {keys.result_image_key(customer_id, result_id, figure.image_index) for figure in found.figures}
        there = self._objects.sizes([rendering_key, *sorted(images)], time_limit_seconds=LOOK_SECONDS).keys()
        if not images <= there:
            return _BROKEN
        return StoredResult(
            serves=True, page_count=len(found.pages), document_json=data, is_rendered=rendering_key in there
        )
