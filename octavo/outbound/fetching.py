"""The outbound fetcher: downloads a document to a file, posts a webhook to its endpoint.

Its defences are spread over this package: URLs are parsed strictly (`targets`), names are resolved once and the
connection goes to the address that was checked (`resolving`, `sockets`), each redirect is checked from the start.
No cookies, no credentials and no proxy settings of this process are used.
"""

import hashlib
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import httpcore
import httpx

from octavo import __version__
from octavo.errors import DocumentTooLarge, FetchFailed
from octavo.outbound.addresses import Allowed
from octavo.outbound.resolving import Resolver, addresses, system_resolver
from octavo.outbound.sockets import Deadline, PinnedNetwork
from octavo.outbound.targets import Target, check_url

MOST_REDIRECTS = 5
MOST_ANSWER_BYTES = 16 * 1024
LONGEST_TYPE = 128
LONGEST_NAME = 512
REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeLimits:
    """How long the other side may take, in seconds."""

    connect: float = 10.0
    read: float = 30.0
    total: float = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What was fetched."""

    url: str
    """Its final address, after redirects."""
    size_bytes: int
    sha256: str
    content_type: str | None
    """Media type according to the server, without parameters; a hint."""
    filename: str | None
    """Last part of the path; a hint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """What an endpoint answered; a redirect is an answer like any other and is not followed."""

    status: int
    body: bytes
    """Its first 16 KiB."""
    seconds: float


class Outbound:
    """Requests to addresses that customers name. Thread-safe: it keeps no state between requests."""

    def __init__(
        self,
        *,
        allowed: Allowed | None = None,
        time_limits: TimeLimits | None = None,
        resolver: Resolver = system_resolver,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._allowed = allowed or Allowed()
        self._limits = time_limits or TimeLimits()
        self._resolver = resolver
        self._tls = tls or httpx.create_ssl_context()

    def check(self, url: str, *, https_only: bool = False) -> Target:
        """Check a URL as far as possible without any request. Raises UrlNotAllowed."""
        return check_url(url, self._allowed, https_only=https_only)

    def fetch(self, url: str, into: Path, *, max_bytes: int, total_seconds: float | None = None) -> Fetched:
        """Fetch a document to a file, following a few redirects, each checked like the first URL.

        On failure nothing is left at `into`. Raises: UrlNotAllowed, FetchFailed (no answer, not 200, too slow),
        DocumentTooLarge (over `max_bytes`, declared or received).
        """
        deadline = Deadline(self._limits.total if total_seconds is None else total_seconds)
        target = self.check(url)
        for _ in range(MOST_REDIRECTS + 1):
            with self._asked("GET", target, deadline) as answer:
                if answer.status not in REDIRECTS:
                    return _kept(answer, target, into, max_bytes)
                target = self.check(urljoin(target.url, _header(answer, b"location")))
        raise FetchFailed(f"The server redirects more than {MOST_REDIRECTS} times.")

    def post(self, url: str, body: bytes, headers: Mapping[str, str], *, total_seconds: float | None = None) -> Posted:
        """Post to an endpoint, https only unless its host is listed. Raises: UrlNotAllowed, FetchFailed."""
        began = time.monotonic()
        deadline = Deadline(self._limits.total if total_seconds is None else total_seconds)
        target = self.check(url, https_only=True)
        with self._asked("POST", target, deadline, body=body, headers=headers) as answer:
            said = b""
            for piece in answer.iter_stream():
                said += piece
                if len(said) >= MOST_ANSWER_BYTES:
                    break
            return Posted(status=answer.status, body=said[:MOST_ANSWER_BYTES], seconds=time.monotonic() - began)

    @contextmanager
    def _asked(
        self,
        method: str,
        target: Target,
        deadline: Deadline,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Iterator[httpcore.Response]:
        """Send one request to the checked address of its host; the response body is not read yet."""
        found = addresses(target, self._resolver, deadline.left(self._limits.connect))
        sent = {
            "Host": target.authority,
            "User-Agent": f"Octavo/{__version__}",
            "Accept": "*/*",
            # The bytes received are the bytes stored: no response can unpack into more than it sent.
            "Accept-Encoding": "identity",
            "Connection": "close",
            **(headers or {}),
        }
        times = {"connect": self._limits.connect, "read": self._limits.read, "write": self._limits.read}
        network = PinnedNetwork(found, deadline)
        with httpcore.ConnectionPool(ssl_context=self._tls, network_backend=network) as pool:
            try:
                with pool.stream(
                    method, target.url, headers=_encoded(sent), content=body, extensions={"timeout": times}
                ) as answer:
                    yield answer
            except (httpcore.ProtocolError, httpcore.NetworkError, httpcore.TimeoutException) as error:
                raise FetchFailed(f"{target.host} does not speak proper HTTP.") from error


def _encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("ascii"), value.encode("utf-8")) for name, value in headers.items()]


def _header(answer: httpcore.Response, name: bytes) -> str:
    return next((value for given, value in answer.headers if given.lower() == name), b"").decode("utf-8", "replace")


def _kept(answer: httpcore.Response, target: Target, into: Path, max_bytes: int) -> Fetched:
    """Write the response body to its file, counting and hashing its bytes."""
    if answer.status != 200:
        raise FetchFailed(f"{target.host} answered with status {answer.status}.", status=answer.status)
    if _header(answer, b"content-encoding").lower() not in ("", "identity"):
        raise FetchFailed(f"{target.host} sends the document compressed, although asked not to.")
    declared = _header(answer, b"content-length")
    if declared.isdecimal() and int(declared) > max_bytes:
        raise _too_large(max_bytes)
    digest, size = hashlib.sha256(), 0
    is_whole = False
    try:
        with into.open("wb") as file:
            for piece in answer.iter_stream():
                size += len(piece)
                if size > max_bytes:
                    raise _too_large(max_bytes)
                digest.update(piece)
                file.write(piece)
        is_whole = True
    finally:
        if not is_whole:
            into.unlink(missing_ok=True)
    name = unquote(urlsplit(target.url).path.rpartition("/")[2])
    return Fetched(
        url=target.url,
        size_bytes=size,
        sha256=digest.hexdigest(),
        content_type=_header(answer, b"content-type").partition(";")[0].strip().lower()[:LONGEST_TYPE] or None,
        filename=name[:LONGEST_NAME] or None,
    )


def _too_large(max_bytes: int) -> DocumentTooLarge:
    return DocumentTooLarge(f"The document has more than {max_bytes} bytes.")
