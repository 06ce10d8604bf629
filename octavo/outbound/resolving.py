"""Resolves names to addresses, within a time limit."""

import ipaddress
import queue
import socket
import threading
from collections.abc import Callable, Sequence

from octavo.errors import FetchFailed
from octavo.outbound.addresses import IPAddress
from octavo.outbound.targets import Target, check_address

Resolver = Callable[[str, int], Sequence[str]]
"""Takes a host name and a port, returns addresses, best first. Raises OSError."""
MOST_TRIED = 4


def system_resolver(host: str, port: int) -> list[str]:
    """Ask the system for a host's addresses."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def addresses(target: Target, resolver: Resolver, seconds: float) -> list[IPAddress]:
    """Return the addresses to connect to, resolved once: the connection goes to exactly what is checked here.

    If one address is not public, all are refused. Raises: UrlNotAllowed, FetchFailed.
    """
    if target.address is not None:
        return [target.address]
    found = [ipaddress.ip_address(address) for address in _asked(target, resolver, seconds)]
    if not target.is_listed:
        for address in found:
            check_address(address)
    return found[:MOST_TRIED]


def _asked(target: Target, resolver: Resolver, seconds: float) -> Sequence[str]:
    # The system's resolver cannot be cancelled, so it runs in a thread that nobody waits for.
    answers: queue.SimpleQueue[Sequence[str] | OSError | UnicodeError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(resolver(target.host, target.port))
        except (OSError, UnicodeError) as error:
            answers.put(error)

    threading.Thread(target=ask, name="octavo-resolver", daemon=True).start()
    try:
        answer = answers.get(timeout=max(0.0, seconds))
    except queue.Empty as error:
        raise FetchFailed(f"The name {target.host} was not resolved in time.") from error
    if isinstance(answer, Exception) or not answer:
        raise FetchFailed(f"There is no host {target.host}.")
    return answer
