"""The workbench of this process, as flows and tasks find it: put there by the warm worker, else made from settings."""

import atexit
import secrets
import threading

from octavo import wiring
from octavo.settings import read_settings
from octavo.workbench import Courier, Workbench

_lock = threading.Lock()
_bench: Workbench | None = None
_courier: Courier | None = None


def install(bench: Workbench) -> None:
    """Make this the bench of the process; the warm worker does so before its first run."""
    global _bench
    with _lock:
        _bench = bench


def current() -> Workbench:
    """Return the bench of the process; an ordinary process worker's flow run makes its own."""
    global _bench
    with _lock:
        if _bench is None:
            settings = read_settings()
            reader = wiring.extractor(settings)
            # Before hello: a worker whose sandbox cannot be set up must not claim anything.
            reader.warm_up()
            # Processes of one pool live at the same time: each is a worker of its own.
            client = wiring.worker_client(settings, f"process-{secrets.token_hex(4)}")
            _bench = wiring.workbench(settings, client, reader, wiring.greet(settings, client, reader))
            _bench.start()
            atexit.register(client.goodbye)
        return _bench


def courier() -> Courier:
    """Return what sends webhooks' deliveries from this process, over the bench's connection to the API."""
    global _courier
    here = current()
    with _lock:
        if _courier is None:
            _courier = wiring.courier(read_settings(), here.client)
        return _courier
