"""Remembers which of Prefect's background services have failed lately, as their loggers say it.

Prefect runs its services as perpetual tasks (docket), which log an exception and are started again: a scheduler that
fails every minute is otherwise seen by nobody. Seen with 3.9.1, where all of them log below these names.
"""

import logging
import re
import time
from collections.abc import Callable

LOGGERS = ("docket", "prefect.server.services", "prefect.server.events.services")
LATELY_SECONDS = 600.0
"""How long a failure is told: several rounds of the services that matter, which run each minute or more often."""
BUSY = "database is locked"
"""Of SQLite, under load: the next round does what this one did not."""
NAMED = re.compile(r"\b([a-z_]+)\(")
"""The function of a perpetual task in docket's line, as in `[12ms] schedule_deployments(...)`."""


class ServiceFailures(logging.Handler):
    """A handler of log records that keeps when each service failed last."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        super().__init__(logging.ERROR)
        self._clock = clock
        self._last: dict[str, tuple[float, str]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Note a failure."""
        error = record.exc_info[1] if record.exc_info else None
        if BUSY in str(error) or BUSY in record.getMessage():
            return
        self._last[_service(record)] = (self._clock(), type(error).__name__ if error else record.levelname)

    def recent(self) -> list[dict[str, str | float]]:
        """Return the services that have failed lately, each with when (Unix seconds) and with what."""
        after = self._clock() - LATELY_SECONDS
        return [
            {"service": service, "at": at, "error": error}
            for service, (at, error) in sorted(self._last.items())
            if at > after
        ]

    def listen(self) -> None:
        """Begin to hear what the services log."""
        for name in LOGGERS:
            logging.getLogger(name).addHandler(self)


def _service(record: logging.LogRecord) -> str:
    found = NAMED.search(record.getMessage()) if record.name.startswith("docket") else None
    return found[1] if found else record.name.removeprefix("prefect.server.")
