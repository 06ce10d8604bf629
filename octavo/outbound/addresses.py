"""Which addresses are public, and which others `outbound.allow` permits. Pure.

The lists are IANA's special-purpose registries, written out: what the standard library calls global has
changed between its releases, and this must not.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_CLOSED_V4 = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT; one cloud's metadata service as well
        "127.0.0.0/8",
        "168.63.129.16/32",  # a cloud's platform service on a public address
        "169.254.0.0/16",  # link-local; most clouds' metadata services
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
_UNICAST_V6 = ipaddress.IPv6Network("2000::/3")
_CLOSED_V6 = tuple(
    ipaddress.IPv6Network(network)
    for network in (
        "2001::/23",  # special protocols, Teredo among them
        "2001:db8::/32",
        "2002::/16",  # 6to4: an IPv4 address in disguise
        "3fff::/20",
    )
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def is_public(address: IPAddress) -> bool:
    """Whether anybody on the internet could reach this address.

    An IPv4 address written as IPv6 (mapped, or behind NAT64) is judged as the IPv4 address it is.
    """
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _CLOSED_V4)
    inner = _inner(address)
    if inner is not None:
        return is_public(inner)
    return address in _UNICAST_V6 and not any(address in network for network in _CLOSED_V6)


def _inner(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped


@dataclass(frozen=True, slots=True)
class Allowed:
    """The hosts and ports in `outbound.allow`, which are allowed whatever their address."""

    places: frozenset[tuple[str, int]] = frozenset()

    @classmethod
    def read(cls, entries: Iterable[str]) -> "Allowed":
        """Parse `host:port` entries; IPv6 addresses are in brackets. Raises ValueError."""
        return cls(frozenset(map(_place, entries)))

    def has(self, host: str, port: int) -> bool:
        """Whether this host and port are listed."""
        return (host, port) in self.places


def _place(entry: str) -> tuple[str, int]:
    host, colon, port = entry.strip().rpartition(":")
    if not colon or not host or not port.isdecimal() or not 0 < int(port) < 65536 or ("/" in host or "@" in host):
        raise ValueError(f"{entry!r} is not HOST:PORT")
    if host.startswith("[") and host.endswith("]"):
        return str(ipaddress.IPv6Address(host[1:-1])), int(port)
    if ":" in host:
        raise ValueError(f"{entry!r}: write an IPv6 address in brackets, [::1]:8080")
    return host.lower().removesuffix("."), int(port)
