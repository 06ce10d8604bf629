"""Runs one process for the duration of a task, without a supervisor."""

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from octavo.errors import ServiceUnreachable
from octavo.supervisor import leftovers
from octavo.supervisor.child import ChildSpec, die_with_parent

START_SECONDS = 20.0
PROBE_SECONDS = 0.05


@contextlib.contextmanager
def running(spec: ChildSpec, children_file: Path) -> Iterator[None]:
    """Run a process for the duration of a task, once it is ready. Raises ServiceUnreachable if it never is."""
    with spec.log.open("ab") as log:
        process = subprocess.Popen(
            spec.command,
            env=spec.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=die_with_parent(os.getpid()),
        )
    try:
        leftovers.note(children_file, [process.pid])
        _wait_until_ready(process, spec)
        yield
    finally:
        process.terminate()
        try:
            process.wait(spec.stop_seconds)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        leftovers.note(children_file, [])


def _wait_until_ready(process: subprocess.Popen[bytes], spec: ChildSpec) -> None:
    limit = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < limit:
        if asyncio.run(_asked(spec)):
            return
        time.sleep(PROBE_SECONDS)
    raise ServiceUnreachable(f"The {spec.name} server does not start; see {spec.log}.")


async def _asked(spec: ChildSpec) -> bool:
    return await spec.ready()
