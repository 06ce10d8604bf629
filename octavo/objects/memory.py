"""Objects in this process's memory: the fake for tests that need no server.

It opens no port. Its URLs look like S3's and are signed, and `put_through` and `get_through` replace
the HTTP exchange: what S3 refuses (another length, key, host or method, a changed signature, an expired
URL) they answer with status 403 and store nothing. If bytes must cross a socket, use the embedded
server; the contract suite runs on both.

Stricter than S3 in one way: a key that is another's directory is a ValueError, as the embedded
server would fail on it.
"""

import hashlib
import hmac
import os
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from octavo.errors import StorageUnavailable
from octavo.objects.contract import (
    Downloaded,
    ObjectInfo,
    ObjectMissing,
    ObjectTooLarge,
    PresignedUrl,
    checked_expiry,
    checked_prefix,
    checked_size,
)
from octavo.objects.response_headers import response_parameters

_HOST = "memory.invalid"


@dataclass(frozen=True, slots=True)
class Answer:
    """What an HTTP server would have answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class _Object:
    data: bytes
    content_type: str
    last_modified: datetime


_FORBIDDEN = Answer(403, {}, b"AccessDenied")


class MemoryObjects:
    """`ObjectStore` in memory; `available = False` makes every call raise as if storage were down."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.available = True
        self._clock = clock
        self._secret = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._objects: dict[str, _Object] = {}

    def presign_put(self, key: str, *, size_bytes: int, expires_seconds: int) -> PresignedUrl:
        """See `ObjectStore.presign_put`."""
        return self._presigned("PUT", key, expires_seconds, {"length": str(checked_size(size_bytes))})

    def presign_get(
        self, key: str, *, expires_seconds: int, content_type: str, filename: str | None = None
    ) -> PresignedUrl:
        """See `ObjectStore.presign_get`."""
        return self._presigned("GET", key, expires_seconds, response_parameters(content_type, filename))

    def put_through(self, url: str, data: bytes, headers: Mapping[str, str] | None = None) -> Answer:
        """Do what a PUT of these bytes to a presigned URL does."""
        opened = self._opened("PUT", url)
        if opened is None or not self.available:
            return _FORBIDDEN if self.available else Answer(503, {}, b"")
        key, query = opened
        if query.get("length") != str(len(data)):
            return _FORBIDDEN
        given = {name.lower(): value for name, value in (headers or {}).items()}
        self.write(key, data, given.get("content-type", "application/octet-stream"))
        return Answer(200, {}, b"")

    def get_through(self, url: str) -> Answer:
        """Do what a GET of a presigned URL does."""
        opened = self._opened("GET", url)
        if opened is None or not self.available:
            return _FORBIDDEN if self.available else Answer(503, {}, b"")
        key, query = opened
        with self._lock:
            found = self._objects.get(key)
        if found is None:
            return Answer(404, {}, b"NoSuchKey")
        headers = {
            name.removeprefix("response-"): value for name, value in query.items() if name.startswith("response-")
        }
        return Answer(200, headers, found.data)

    def sizes(self, keys: Sequence[str], *, time_limit_seconds: float) -> dict[str, int]:
        """See `ObjectStore.sizes`; never exceeds the time limit."""
        self.check()
        with self._lock:
            return {key: len(self._objects[key].data) for key in keys if key in self._objects}

    def read(self, key: str, *, max_bytes: int) -> bytes:
        """See `ObjectStore.read`."""
        self.check()
        with self._lock:
            found = self._objects.get(key)
        if found is None:
            raise ObjectMissing("There is no such object.", key=key)
        size = len(found.data)
        if size > max_bytes:
            raise ObjectTooLarge(
                f"The object has {size} bytes; at most {max_bytes} are accepted.",
                key=key,
                size_bytes=size,
                limit_bytes=max_bytes,
            )
        return found.data

    def download(self, key: str, path: Path, *, max_bytes: int) -> Downloaded:
        """See `ObjectStore.download`."""
        data = self.read(key, max_bytes=max_bytes)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
        return Downloaded(size=len(data), sha256=hashlib.sha256(data).hexdigest())

    def write(self, key: str, data: bytes, content_type: str) -> None:
        """See `ObjectStore.write`. Raises ValueError for a key that is another's directory."""
        self.check()
        with self._lock:
            if key not in self._objects:
                self._refuse_directory(key)
            self._objects[key] = _Object(bytes(data), content_type, self._clock())

    def delete(self, keys: Sequence[str]) -> None:
        """See `ObjectStore.delete`."""
        self.check()
        with self._lock:
            for key in keys:
                self._objects.pop(key, None)

    def delete_below(self, prefixes: Sequence[str]) -> dict[str, list[str]]:
        """See `ObjectStore.delete_below`."""
        self.check()
        gone: dict[str, list[str]] = {}
        with self._lock:
            for prefix in map(checked_prefix, prefixes):
                for key in [key for key in self._objects if key.startswith(prefix)]:
                    del self._objects[key]
                    gone.setdefault(prefix, []).append(key)
        return gone

    def drop_unfinished_uploads(self, begun_before: datetime) -> int:
        """See `ObjectStore.drop_unfinished_uploads`; here every upload is in one part."""
        self.check()
        return 0

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """See `ObjectStore.list`."""
        checked_prefix(prefix)
        return self._listing(prefix)

    def _listing(self, prefix: str) -> Iterator[ObjectInfo]:
        self.check()
        with self._lock:
            found = [(key, held) for key, held in self._objects.items() if key.startswith(prefix)]
        for key, held in found:
            yield ObjectInfo(key=key, size=len(held.data), last_modified=held.last_modified)

    def check(self) -> None:
        """See `ObjectStore.check`."""
        if not self.available:
            raise StorageUnavailable("Storage is switched off.")

    def ensure_bucket(self) -> None:
        """See `ObjectStore.ensure_bucket`; here it always exists."""
        self.check()

    def _refuse_directory(self, key: str) -> None:
        above = key.split("/")
        for depth in range(1, len(above)):
            if "/".join(above[:depth]) in self._objects:
                raise ValueError(f"an object is in the way of {key!r}")
        if any(other.startswith(f"{key}/") for other in self._objects):
            raise ValueError(f"{key!r} is a directory")

    def _presigned(self, method: str, key: str, expires_seconds: int, bound: Mapping[str, str]) -> PresignedUrl:
        expires_at = self._clock() + timedelta(seconds=checked_expiry(expires_seconds))
        query = {**bound, "expires": str(expires_at.timestamp())}
        query["signature"] = self._signature(method, key, query)
        return PresignedUrl(f"http://{_HOST}/{quote(key)}?{urlencode(query, quote_via=quote)}", expires_at)

    def _opened(self, method: str, url: str) -> tuple[str, dict[str, str]] | None:
        """Return key and query of a URL that is valid for this method now, else None."""
        parts = urlsplit(url)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        signature = query.pop("signature", "")
        key = unquote(parts.path.removeprefix("/"))
        if parts.hostname != _HOST or not hmac.compare_digest(signature, self._signature(method, key, query)):
            return None
        if self._clock().timestamp() >= float(query["expires"]):
            return None
        return key, query

    def _signature(self, method: str, key: str, query: Mapping[str, str]) -> str:
        text = repr((method, key, sorted(query.items())))
        return hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()
