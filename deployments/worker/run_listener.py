"""Has flow runs fetched as soon as the API notifies this worker of new ones; Prefect's poll is the fallback."""

from collections.abc import Callable

from octavo.client.worker import WorkerClient
from octavo.worker.work_loop import WorkLoop

WAIT_SECONDS = 20.0


class RunListener:
    """Waits for notifications in a thread of its own."""

    def __init__(self, client: WorkerClient, fetch: Callable[[], object]) -> None:
        """`fetch` is called in that thread."""
        self._client = client
        self._seen = -1
        self._fetch = fetch
        self._loop = WorkLoop("notifications", self._wait, self._act)

    def start(self) -> None:
        """Begin to listen."""
        self._loop.start(1)

    def stop(self) -> None:
        """Fetch nothing more."""
        self._loop.drain()

    def _act(self, _: int) -> None:
        self._fetch()

    def _wait(self) -> int | None:
        seen = self._client.wait_for_runs(self._seen, WAIT_SECONDS)
        is_new = seen != self._seen and not self._loop.draining.is_set()
        self._seen = seen
        return seen if is_new else None
