"""A worker whose items touch neither storage nor an engine, to measure dispatch alone: `python -m bench.idle_worker`.

Everything else is the real worker: Prefect's runs and task runs, claims, leases, reports.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.service import Running, prefect_access
from deployments.worker import __main__ as worker
from octavo import wiring
from octavo.batches import ClaimedItem
from octavo.extraction.inputs import Input
from octavo.extraction.item_options import ItemOptions
from octavo.extraction.items import ItemWork
from octavo.extraction.reading_progress import ReadingProgress
from octavo.identifiers import ResultId
from octavo.outcomes import Outcome, Succeeded

READY_SECONDS = 60.0


class NoWork(ItemWork):
    """Lets every item succeed with one page, at once."""

    def fetch(self, item: ClaimedItem) -> Input:
        """Fetch nothing; the path is one that is not there, for whoever takes an input away deletes its file."""
        return Input(Path(tempfile.gettempdir()) / "octavo-no-input", sha256="0" * 64)

    def do(
        self,
        item: ClaimedItem,
        found: Input,
        options: ItemOptions,
        progress: ReadingProgress,
        *,
        in_fresh_child: bool = False,
    ) -> Outcome:
        """Begin, and have succeeded."""
        progress.begin()
        return Succeeded(page_count=1, result_id=ResultId("result_none"), sha256="0" * 64, engine="none 1", seconds=0.0)


@contextlib.contextmanager
def idle_worker(stack: Running) -> Iterator[None]:
    """Run such a worker beside a stack."""
    access = prefect_access(stack.data)
    with tempfile.TemporaryDirectory(prefix="octavo-idle-") as folder:
        ready = Path(folder) / "ready"
        environment = os.environ | {
            "OCTAVO_DATA": str(stack.data),
            "OCTAVO_WORKER__TEST_ENGINES": "true",
            "OCTAVO_WORKER__NAME": "idle",
            "OCTAVO_READY_FILE": str(ready),
            "PREFECT_API_URL": access.api_url,
            "PREFECT_API_AUTH_STRING": access.login or "",
            "PREFECT_HOME": folder,
            "PREFECT_WORKER_QUERY_SECONDS": "1",
        }
        with subprocess.Popen([sys.executable, "-m", "bench.idle_worker"], env=environment) as process:
            try:
                limit = time.monotonic() + READY_SECONDS
                while not ready.exists():
                    if time.monotonic() > limit:
                        raise TimeoutError("the idle worker is not ready")
                    time.sleep(0.1)
                yield
            finally:
                process.terminate()
                process.wait(timeout=60)


if __name__ == "__main__":
    vars(wiring)["ItemWork"] = NoWork  # the one place where the real thing is taken out
    sys.exit(worker.main())
