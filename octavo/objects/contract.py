"""What Octavo requires of object storage; implemented by the embedded server, any S3 and the in-memory fake.

Every call blocks and is safe from several threads; none may be made on the thread of a running
event loop. Keys come from `keys.py`. Sizes are bytes, times are UTC.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import ClassVar, Protocol

from octavo.errors import OctavoError

MAX_EXPIRY_SECONDS = 7 * 24 * 3600
"""Longest validity of a presigned URL that SigV4 allows."""


class ObjectMissing(OctavoError):
    """There is no object under this key."""

    code: ClassVar[str] = "object_missing"


class ObjectTooLarge(OctavoError):
    """The object has more bytes than the reader accepts."""

    code: ClassVar[str] = "object_too_large"


@dataclass(frozen=True, slots=True)
class PresignedUrl:
    """A URL that carries its own permission, until it expires."""

    url: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Downloaded:
    """What was written to a local file: its size and the SHA-256 of its bytes, in hex."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One object as a listing shows it."""

    key: str
    size: int
    last_modified: datetime


class ObjectStore(Protocol):
    """Objects by key, and URLs with which others can PUT and GET their bytes.

    An object appears whole or not at all; writing to a key replaces what was there. Anything but
    a missing object, a too large one or a wrong argument is `StorageUnavailable`, within about ten
    seconds if storage is down or silent; a transfer that makes progress may take as long as it needs.
    """

    def presign_put(self, key: str, *, size_bytes: int, expires_seconds: int) -> PresignedUrl:
        """Return a URL that accepts a plain PUT of exactly `size_bytes` bytes.

        Only Host and Content-Length are bound: a PUT with just the bytes works; one byte more or less is
        refused and leaves no object. No request is made.

        Raises:
            ValueError: a negative size, or an expiry outside 1 s to 7 days.
        """
        ...

    def presign_get(
        self, key: str, *, expires_seconds: int, content_type: str, filename: str | None = None
    ) -> PresignedUrl:
        """Return a URL that answers a GET with the object's bytes.

        The answer carries this `content_type` and, when a `filename` is given, asks browsers to save
        it under that name. The object need not exist yet. No request is made.

        Raises:
            ValueError: an expiry outside 1 s to 7 days, or a content type with control characters.
        """
        ...

    def sizes(self, keys: Sequence[str], *, time_limit_seconds: float) -> dict[str, int]:
        """Return the size of each of these objects that exists.

        Raises:
            StorageUnavailable: storage is down, or the time limit passed.
        """
        ...

    def read(self, key: str, *, max_bytes: int) -> bytes:
        """Return the bytes of a small object.

        Raises:
            ObjectMissing: there is none.
            ObjectTooLarge: it has more than `max_bytes`.
            StorageUnavailable: storage is down.
        """
        ...

    def download(self, key: str, path: Path, *, max_bytes: int) -> Downloaded:
        """Write the object to a new local file, hashing it on the way; no file is left on failure.

        Raises:
            ObjectMissing: there is none.
            ObjectTooLarge: it has more than `max_bytes`.
            StorageUnavailable: storage is down, or the bytes ended early.
            FileExistsError: there is a file at `path`; it is left as it is.
        """
        ...

    def write(self, key: str, data: bytes, content_type: str) -> None:
        """Write an object, replacing any under the same key.

        Raises:
            StorageUnavailable: storage is down.
        """
        ...

    def delete(self, keys: Sequence[str]) -> None:
        """Delete these objects; a missing one is not an error.

        Raises:
            StorageUnavailable: storage is down; some may be gone.
        """
        ...

    def delete_below(self, prefixes: Sequence[str]) -> dict[str, list[str]]:
        """Delete every object under these prefixes, each ending in a slash; return the keys each had, if any.

        Raises:
            ValueError: a prefix does not end in a slash.
            StorageUnavailable: storage is down; some may be gone.
        """
        ...

    def drop_unfinished_uploads(self, begun_before: datetime) -> int:
        """Abort multipart uploads that began before a moment and never finished; return how many.

        Raises:
            StorageUnavailable: storage is down; some may be gone.
        """
        ...

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """Yield every object under a prefix that ends in a slash, in no particular order.

        Raises:
            ValueError: the prefix does not end in a slash.
            StorageUnavailable: storage is down, possibly midway.
        """
        ...

    def check(self) -> None:
        """Return if storage answers, has the bucket and accepts our keys.

        Raises:
            StorageUnavailable: it does not.
        """
        ...

    def ensure_bucket(self) -> None:
        """Create the bucket if it is missing.

        Raises:
            StorageUnavailable: it cannot be created.
        """
        ...


def checked_expiry(expires_seconds: int) -> int:
    """Return the expiry. Raises ValueError outside 1 s to 7 days; some servers accept any, S3 does not."""
    if not 1 <= expires_seconds <= MAX_EXPIRY_SECONDS:
        raise ValueError(f"a presigned URL is valid for 1 to {MAX_EXPIRY_SECONDS} seconds, not {expires_seconds}")
    return expires_seconds


def checked_size(size_bytes: int) -> int:
    """Return the size. Raises ValueError for a negative one."""
    if size_bytes < 0:
        raise ValueError(f"an object cannot have {size_bytes} bytes")
    return size_bytes


def checked_prefix(prefix: str) -> str:
    """Return the prefix. Raises ValueError unless it ends in a slash."""
    if not prefix.endswith("/"):
        raise ValueError(f"a prefix ends in a slash: {prefix!r}")
    return prefix
