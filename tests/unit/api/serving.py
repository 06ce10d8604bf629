"""The app behind a real socket on loopback, for clients that block."""

import contextlib
import contextvars
import threading
import time
from collections.abc import Callable, Iterator

import uvicorn
from fastapi import FastAPI

LIMIT_SECONDS = 60.0


def until(condition: Callable[[], bool], what: str) -> None:
    """Return once the condition holds; fail after a while."""
    end = time.monotonic() + LIMIT_SECONDS
    while not condition():
        assert time.monotonic() < end, f"waited without success: {what}"
        time.sleep(0.005)


@contextlib.contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """Serve the app, with its loops, on a free port; yields its address."""
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, log_config=None, loop="asyncio", http="h11", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    # A thread has a context of its own, and Prefect's settings are kept in it: without them the dispatcher
    # would start a whole Prefect server in this process.
    context = contextvars.copy_context()
    thread = threading.Thread(target=lambda: context.run(server.run), name="api", daemon=True)
    thread.start()
    until(lambda: server.started or not thread.is_alive(), "the API starts")
    assert server.started
    (sock,) = server.servers[0].sockets
    yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    server.should_exit = True
    thread.join(LIMIT_SECONDS)
    assert not thread.is_alive()
