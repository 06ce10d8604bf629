"""The workbench of this process, as flows and tasks find it: put there by the warm worker, else made from settings."""

import threading

from octavo import wiring
from octavo.settings import read_settings
from octavo.workbench import Workbench

_lock = threading.Lock()
_bench: Workbench | None = None


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
            _bench = wiring.workbench(settings, wiring.worker_client(settings), reader)
            _bench.start()
        return _bench
