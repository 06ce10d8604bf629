"""What a URL refers to, parsed strictly: a URL that two programs could read differently is refused. Pure."""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urlsplit

import idna

from octavo.errors import UrlNotAllowed
from octavo.outbound.addresses import Allowed, IPAddress, is_public

LONGEST_URL = 4096
PORTS = {"http": 80, "https": 443}
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_CONFUSING = re.compile(r"[\x00-\x20\x7f\\]")
_SAFE = "%/:=&?~#+!$,;'@()*[]"
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")
"""With a last label like this, a browser or a C library reads the whole host as an IPv4 address."""
_HERE = ("localhost", "localhost.localdomain")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a URL leads: the host to connect to and what to request there."""

    scheme: str
    host: str
    """Lower case, ASCII, without a trailing dot; an IPv6 address without brackets."""
    port: int
    path: str
    """Path and query, percent-encoded."""
    address: IPAddress | None
    """The host, if it is itself an address."""
    is_listed: bool
    """Whether `outbound.allow` lists it; if so, its address need not be public."""

    @property
    def url(self) -> str:
        """The URL as it is requested."""
        return f"{self.scheme}://{self.authority}{self.path}"

    @property
    def authority(self) -> str:
        """Host, and the port unless it is the scheme's default."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


def check_url(url: str, allowed: Allowed, *, https_only: bool = False) -> Target:
    """Return where a URL leads if it may be requested, as far as can be known without resolving its name.

    `https_only` accepts http only for listed hosts. Raises UrlNotAllowed with the reason.
    """
    parts, port = _split(url)
    host, address = _host(parts.hostname or "", in_brackets="[" in parts.netloc)
    is_listed = allowed.has(host, port)
    if not is_listed:
        if parts.scheme == "http" and https_only:
            raise UrlNotAllowed("Only https addresses are accepted here.")
        if port not in PORTS.values():
            raise UrlNotAllowed(f"Port {port} is not allowed; only 80 and 443 are.")
        if host in _HERE or host.endswith(".localhost"):
            raise UrlNotAllowed("The address is not public.")
        if address is not None:
            check_address(address)
    path = quote(parts.path or "/", safe=_SAFE) + (f"?{quote(parts.query, safe=_SAFE)}" if parts.query else "")
    return Target(scheme=parts.scheme, host=host, port=port, path=path, address=address, is_listed=is_listed)


def check_address(address: IPAddress) -> None:
    """Raise UrlNotAllowed unless the address is public. The message hides it, as it may be internal."""
    if not is_public(address):
        raise UrlNotAllowed("The address is not public.")


def _split(url: str) -> tuple[SplitResult, int]:
    # The standard library would silently drop tabs and line ends, and others treat a backslash as a slash.
    if len(url) > LONGEST_URL or _CONFUSING.search(url):
        raise UrlNotAllowed(f"A URL has at most {LONGEST_URL} characters, without spaces and backslashes.")
    try:
        url.encode()
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UrlNotAllowed("This is not a URL.") from error
    if parts.scheme not in PORTS:
        raise UrlNotAllowed("Only http and https URLs are fetched.")
    if "@" in parts.netloc:
        raise UrlNotAllowed("A URL may not carry a user name or password.")
    return parts, PORTS[parts.scheme] if port is None else port


def _host(given: str, *, in_brackets: bool) -> tuple[str, IPAddress | None]:
    if in_brackets or ":" in given:
        try:
            # An address with a zone (`%eth0`) means nothing outside its own machine.
            address = ipaddress.IPv6Address(given)
        except ValueError as error:
            raise UrlNotAllowed("The host is not a valid address.") from error
        if address.scope_id is not None:
            raise UrlNotAllowed("The address is not public.")
        return str(address), address
    host = _ascii(given).removesuffix(".")
    labels = host.split(".")
    if not host or len(host) > 253 or not all(map(_LABEL.fullmatch, labels)):
        raise UrlNotAllowed("The URL has no host, or an invalid one.")
    if not _NUMBER.fullmatch(labels[-1]):
        return host, None
    try:
        # Four decimal numbers without leading zeros, and nothing else: no 0x7f.1, no 2130706433.
        return host, ipaddress.IPv4Address(host)
    except ValueError as error:
        raise UrlNotAllowed("An IPv4 address must be written as four decimal numbers.") from error


def _ascii(host: str) -> str:
    if host.isascii():
        return host.lower()
    try:
        return idna.encode(host, uts46=True).decode("ascii").lower()
    except idna.IDNAError as error:
        raise UrlNotAllowed("The host name is invalid.") from error
