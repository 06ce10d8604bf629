"""Unit tests speak to nobody but this machine."""

import ipaddress
import sys
from collections.abc import Iterator

import pytest

_WATCHED: set[str] = set()
"""The test that runs, if it is one of this folder."""


def _refuse_the_network(event: str, arguments: tuple[object, ...]) -> None:
    if event == "socket.connect" and _WATCHED and not _is_here(arguments[1]):
        raise RuntimeError(f"{next(iter(_WATCHED))} connects to {arguments[1]}: it belongs to tests/integration")


def _is_here(address: object) -> bool:
    if not isinstance(address, tuple):  # a socket of the file system
        return True
    try:
        return ipaddress.ip_address(str(address[0])).is_loopback
    except ValueError:
        return str(address[0]) == "localhost"


# A hook of this kind stays for the life of the process.
sys.addaudithook(_refuse_the_network)


@pytest.fixture(autouse=True)
def no_network(request: pytest.FixtureRequest) -> Iterator[None]:
    """Refuse connections to other machines."""
    _WATCHED.add(request.node.nodeid)
    yield
    _WATCHED.clear()
