"""Prefect's server behind a door of its own (`same_origin.py`); the embedded one also retries when SQLite is busy.

Prefect on SQLite answers 503 when two requests write at the same moment, and Prefect's client then
waits 2, 4, 8 seconds: eight batches submitted at once were started over 13 seconds that way. A request
refused like this has changed nothing (its transaction was rolled back), so it is simply repeated here,
some milliseconds later. PostgreSQL does not need this. Seen with 3.8.8 and 3.9.1; it can go when
Prefect itself waits for SQLITE_BUSY.
"""

import asyncio
import logging
import random
from urllib.parse import urlsplit

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deployments.same_origin import SameOrigin
from deployments.service_failures import ServiceFailures
from octavo import process_tuning
from octavo.settings import read_settings
from octavo.supervisor.prefect_access import FAILURES_PATH

PATIENCE_SECONDS = 10.0
FIRST_PAUSE_SECONDS = 0.01
LONGEST_PAUSE_SECONDS = 0.2
BUSY = 503
BUSY_DATABASE = "database is locked"
LOGGERS_OF_BUSY = ("prefect.server", "prefect.server.utilities.worker_channel")
"""Loggers that show a traceback of a busy database for what is repeated: a request here, a heartbeat by its worker."""


class Patient:
    """ASGI middleware: repeats a request while the answer is 503, for a limited time."""

    def __init__(self, app: ASGIApp, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._app = app
        self._patience_seconds = patience_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything but HTTP through; buffer HTTP bodies so that they can be repeated."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = await _whole_body(receive)
        if body is None:
            await self._app(scope, receive, send)
            return
        clock = asyncio.get_running_loop().time
        deadline, pause = clock() + self._patience_seconds, FIRST_PAUSE_SECONDS
        # A copy per attempt: routers write into the scope.
        while not await self._is_answered(dict(scope), body, receive, send, is_last=clock() > deadline):
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def _is_answered(self, scope: Scope, body: bytes, receive: Receive, send: Send, *, is_last: bool) -> bool:
        is_busy = False

        async def send_unless_busy(message: Message) -> None:
            nonlocal is_busy
            if message["type"] == "http.response.start" and message["status"] == BUSY and not is_last:
                is_busy = True
            if not is_busy:
                await send(message)

        try:
            await self._app(scope, _said_again(body, receive), send_unless_busy)
        except Exception:
            # Starlette answers and then raises the cause again, for the log; a busy database need not be logged.
            if not is_busy:
                raise
        return not is_busy


async def _whole_body(receive: Receive) -> bytes | None:
    """Return the request's body; Prefect's own limit keeps it small. None when the client has gone."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _said_again(body: bytes, receive: Receive) -> Receive:
    """Return a receiver that yields the body first, and then whatever comes (a disconnect)."""
    is_said = False

    async def said() -> Message:
        nonlocal is_said
        if is_said:
            return await receive()
        is_said = True
        return {"type": "http.request", "body": body, "more_body": False}

    return said


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    """Whether a record tells of anything but a busy database."""
    error = record.exc_info[1] if record.exc_info else None
    return error is None or BUSY_DATABASE not in str(error)


def create_app() -> ASGIApp:
    """Return the embedded server's app: everything in one process, on SQLite; `uvicorn --factory` calls it.

    Its process gives way: what Prefect records about work may come later than the work.
    """
    process_tuning.give_way()
    app = _behind_door(Patient(_prefect_app()))
    process_tuning.exempt_existing_objects()
    return app


def create_web_app() -> ASGIApp:
    """Return the app of one of a fleet's servers: API and UI alone; `prefect server services start` does the rest."""
    return _behind_door(_prefect_app(webserver_only=True))


def _behind_door(app: ASGIApp) -> ASGIApp:
    given = read_settings().prefect
    at = urlsplit(given.ui_url or "").hostname
    return SameOrigin(app, hosts=[*given.hosts, *([at] if at else [])])


def _prefect_app(*, webserver_only: bool = False) -> ASGIApp:
    from prefect.server.api.server import create_app as create_prefect_app  # slow to import, and only here

    for name in LOGGERS_OF_BUSY:
        logging.getLogger(name).addFilter(_is_worth_a_line)
    app = create_prefect_app(webserver_only=webserver_only)
    failures = ServiceFailures()
    failures.listen()
    # Below Prefect's own API, so that it is behind the login.
    prefect_api: FastAPI = vars(app)["api_app"]
    prefect_api.add_api_route(FAILURES_PATH, failures.recent, methods=["GET"], include_in_schema=False)
    return app
