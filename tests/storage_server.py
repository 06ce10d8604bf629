"""A real embedded S3 server for tests: on a free port, in a folder of its own, ended by its pid."""

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from octavo.directory import free_port
from octavo.objects.embedded import (
    StorageKeys,
    find_rclone,
    new_keys,
    storage_command,
    storage_environment,
)
from octavo.objects.s3 import S3Objects, S3Settings

BUCKET = "octavo-test"
SECOND_HOST = "127.0.0.2"
START_SECONDS = 60.0


@contextlib.contextmanager
def storage_process(
    directory: Path,
    *,
    port: int | None = None,
    keys: StorageKeys | None = None,
    allowed_origin: str | None = None,
) -> Iterator[tuple[S3Settings, subprocess.Popen[bytes]]]:
    """Run a server over `directory` on 127.0.0.1 and 127.0.0.2; it answers, and the bucket is there.

    Port and keys are new ones, unless a test gives those of a server that has ended.
    """
    port = port or free_port()
    keys = keys or new_keys()
    addresses = [("127.0.0.1", port), (SECOND_HOST, port)]
    command = storage_command(find_rclone(), directory, addresses=addresses, allowed_origin=allowed_origin)
    with (directory.parent / f"storage-{port}.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            env=storage_environment(keys, os.environ),
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
        )
    try:
        _wait_until_listening(process, port)
        settings = S3Settings(
            endpoint_url=f"http://127.0.0.1:{port}",
            public_url=f"http://127.0.0.1:{port}",
            bucket=BUCKET,
            access_key=keys.access_key,
            secret_key=keys.secret_key,
            region="us-east-1",
        )
        S3Objects(settings).ensure_bucket()
        yield settings, process
    finally:
        # A test may have stopped it; a stopped process does not see a polite signal.
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=10)


@contextlib.contextmanager
def storage_server() -> Iterator[S3Settings]:
    """Run a server in a new folder and remove both afterwards; see `storage_process`."""
    with tempfile.TemporaryDirectory(prefix="octavo-storage-") as folder:
        directory = Path(folder) / "objects"
        directory.mkdir()
        with storage_process(directory) as (settings, _):
            yield settings


def _wait_until_listening(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the storage server ended with {process.returncode}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise RuntimeError("the storage server does not listen")
