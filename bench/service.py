"""A whole stack for a bench: its own data directory, free ports, the sleeping engine; ended by pid."""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from octavo.directory import free_port
from octavo.settings import read_settings
from octavo.supervisor.prefect_access import PrefectAccess, read_access

READY_SECONDS = 180.0
UNLIMITED = {"OCTAVO_LIMITS__SUBMISSIONS_PER_MINUTE": "1000000"}
READ_ALL = {"OCTAVO_WORKER__REUSE_RESULTS": "false"}
"""With reuse off, a bench that sends the same documents twice measures reading them twice."""
OCTAVO = Path(sys.executable).parent / "octavo"


@dataclass(frozen=True, slots=True)
class Running:
    """A stack that is ready."""

    data: Path
    url: str
    pid: int

    def key(self, customer: str) -> str:
        """Return a fresh API key."""
        command = [str(OCTAVO), "keys", "create", "--data", str(self.data), "--customer", customer]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def prefect(self) -> httpx.Client:
        """Return a client of the stack's Prefect API, signed in."""
        access = prefect_access(self.data)
        return httpx.Client(base_url=access.api_url, headers=access.headers, timeout=60, trust_env=False)


def prefect_access(data: Path) -> PrefectAccess:
    """Return how the Prefect of the stack with this data is reached. Raises LookupError."""
    access = read_access(read_settings(data))
    if access is None:
        raise LookupError(f"no stack was started with {data}")
    return access


@contextlib.contextmanager
def running_stack(data: Path | None = None, **settings: str) -> Iterator[Running]:
    """Start a stack without rate limit and without reuse of results, and yield it when it is ready.

    `settings` are environment variables.
    """
    with tempfile.TemporaryDirectory(prefix="octavo-bench-") as folder:
        data, port = data or Path(folder) / "data", free_port()
        environment = os.environ | UNLIMITED | READ_ALL | {"OCTAVO_WORKER__TEST_ENGINES": "true"} | settings
        command = [str(OCTAVO), "up", "--data", str(data), "--port", str(port)]
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            try:
                url = f"http://127.0.0.1:{port}"
                _wait_until_ready(url)
                yield Running(data, url, process.pid)
            finally:
                process.terminate()
                process.wait(timeout=90)


def _wait_until_ready(url: str) -> None:
    limit = time.monotonic() + READY_SECONDS
    while time.monotonic() < limit:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{url}/health", timeout=5, trust_env=False).status_code == 200:
                return
        time.sleep(0.1)
    raise TimeoutError(f"the stack at {url} was not ready within {READY_SECONDS:.0f} s")
