"""Storage that is gone, silent, wrong, or breaks off in the middle."""

import contextlib
import hashlib
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from octavo.errors import StorageUnavailable
from octavo.objects.contract import ObjectStore
from octavo.objects.embedded import StorageKeys
from octavo.objects.memory import MemoryObjects
from octavo.objects.s3 import S3Objects, S3Settings
from tests.processes import freeze
from tests.storage_server import storage_process

KEY = "in/cust_a/2026-11-23/file_a"
GIVEN_UP_SECONDS = 60.0


def _calls(objects: ObjectStore, folder: Path) -> list[Callable[[], object]]:
    return [
        objects.check,
        lambda: objects.sizes([KEY], time_limit_seconds=30),
        lambda: objects.sizes([f"{KEY}_{n}" for n in range(600)], time_limit_seconds=30),
        lambda: objects.read(KEY, max_bytes=10),
        lambda: objects.download(KEY, folder / "input", max_bytes=10),
        lambda: objects.write(KEY, b"x", "text/plain"),
        lambda: objects.delete([KEY]),
        lambda: list(objects.list("in/cust_a/")),
    ]


def _seconds_until_unavailable(call: Callable[[], object]) -> float:
    started = time.monotonic()
    with pytest.raises(StorageUnavailable):
        call()
    return time.monotonic() - started


def _all_give_up(objects: ObjectStore, folder: Path) -> bool:
    calls = _calls(objects, folder)
    with ThreadPoolExecutor(len(calls)) as pool:
        return max(pool.map(_seconds_until_unavailable, calls)) < GIVEN_UP_SECONDS


@pytest.fixture
def dead_port() -> Iterator[int]:
    # Bound and never listening, so that nobody else can take it meanwhile.
    with closing(socket.socket()) as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def test_memory_that_is_switched_off_is_unavailable(tmp_path: Path) -> None:
    objects = MemoryObjects()
    put = objects.presign_put(KEY, size_bytes=1, expires_seconds=60)
    get = objects.presign_get(KEY, expires_seconds=60, content_type="text/plain")
    objects.available = False
    assert _all_give_up(objects, tmp_path)
    assert (objects.put_through(put.url, b"x").status, objects.get_through(get.url).status) == (503, 503)


def test_dead_storage_is_unavailable_soon(embedded: S3Settings, dead_port: int, tmp_path: Path) -> None:
    settings = replace(embedded, endpoint_url=f"http://127.0.0.1:{dead_port}")
    assert _all_give_up(S3Objects(settings), tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert _seconds_until_unavailable(S3Objects(settings).ensure_bucket) < GIVEN_UP_SECONDS


def test_silent_storage_is_unavailable_soon_and_back_when_it_answers(tmp_path: Path) -> None:
    (tmp_path / "objects").mkdir()
    (tmp_path / "inputs").mkdir()
    with storage_process(tmp_path / "objects") as (settings, process):
        objects = S3Objects(settings)
        objects.check()
        freeze(process.pid)
        assert _all_give_up(objects, tmp_path / "inputs")
        assert list((tmp_path / "inputs").iterdir()) == []
        process.send_signal(signal.SIGCONT)
        objects.check()


def test_time_limit_of_sizes_holds_where_storage_is_silent(tmp_path: Path) -> None:
    (tmp_path / "objects").mkdir()
    with storage_process(tmp_path / "objects") as (settings, process):
        objects = S3Objects(settings)
        freeze(process.pid)
        started = time.monotonic()
        with pytest.raises(StorageUnavailable, match="time limit"):
            objects.sizes([KEY], time_limit_seconds=0.5)
        assert time.monotonic() - started < GIVEN_UP_SECONDS


def test_objects_and_urls_outlive_a_restart_on_the_same_port(tmp_path: Path) -> None:
    (tmp_path / "objects").mkdir()
    with storage_process(tmp_path / "objects") as (settings, _):
        objects = S3Objects(settings)
        objects.write(KEY, b"kept", "text/plain")
    keys = StorageKeys(settings.access_key, settings.secret_key)
    port = int(settings.endpoint_url.rpartition(":")[2])
    with storage_process(tmp_path / "objects", port=port, keys=keys):
        assert objects.read(KEY, max_bytes=10) == b"kept"


def test_missing_bucket_is_unavailable_not_a_missing_object(embedded: S3Settings) -> None:
    objects = S3Objects(replace(embedded, bucket="nobody-made-this"))
    _seconds_until_unavailable(objects.check)
    _seconds_until_unavailable(lambda: objects.read(KEY, max_bytes=10))
    _seconds_until_unavailable(lambda: objects.write(KEY, b"x", "text/plain"))


def test_wrong_keys_are_unavailable(embedded: S3Settings) -> None:
    objects = S3Objects(replace(embedded, secret_key="wrong" * 8))
    _seconds_until_unavailable(objects.check)
    _seconds_until_unavailable(objects.ensure_bucket)


def test_bucket_is_made_once(embedded: S3Settings) -> None:
    objects = S3Objects(replace(embedded, bucket="made-twice"))
    objects.ensure_bucket()
    objects.ensure_bucket()
    objects.check()


BODY = bytes(range(256)) * 8192


class _BreakingServer:
    """Answers every GET with the head of BODY, then hangs up; from the `whole_from`th on, with all of it."""

    def __init__(self, *, whole_from: int | None) -> None:
        self.answers = 0
        self.requests: list[bytes] = []
        self._whole_from = whole_from
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> "_BreakingServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        # Closing does not wake a blocked accept; shutting down does.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(timeout=60)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            received = connection.recv(65536)
            if not received:
                return
            request += received
        self.answers += 1
        self.requests.append(request)
        whole = self._whole_from is not None and self.answers >= self._whole_from
        head = (
            "HTTP/1.1 200 OK\r\nConnection: close\r\nLast-Modified: Mon, 23 Nov 2026 05:00:00 GMT\r\n"
            f'ETag: "one"\r\nContent-Type: application/pdf\r\nContent-Length: {len(BODY)}\r\n\r\n'
        )
        # Whoever has seen enough hangs up before all of it is sent.
        with contextlib.suppress(ConnectionError):
            connection.sendall(head.encode() + (BODY if whole else BODY[: len(BODY) // 2]))


def test_download_that_breaks_off_is_unavailable_and_leaves_no_file(embedded: S3Settings, tmp_path: Path) -> None:
    with _BreakingServer(whole_from=None) as server:
        objects = S3Objects(replace(embedded, endpoint_url=f"http://127.0.0.1:{server.port}"))
        with pytest.raises(StorageUnavailable):
            objects.download(KEY, tmp_path / "input", max_bytes=len(BODY))
        with pytest.raises(StorageUnavailable):
            objects.read(KEY, max_bytes=len(BODY))
        assert server.answers >= 2
    assert list(tmp_path.iterdir()) == []


def test_download_is_never_glued_from_answers_to_a_range_that_was_ignored(embedded: S3Settings, tmp_path: Path) -> None:
    with _BreakingServer(whole_from=2) as server:
        objects = S3Objects(replace(embedded, endpoint_url=f"http://127.0.0.1:{server.port}"))
        try:
            downloaded = objects.download(KEY, tmp_path / "input", max_bytes=len(BODY))
        except StorageUnavailable:
            assert list(tmp_path.iterdir()) == []
        else:
            assert downloaded.sha256 == hashlib.sha256(BODY).hexdigest()


def test_session_token_of_the_environment_is_not_sent_with_our_keys(
    embedded: S3Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token-of-somebody-else")
    with _BreakingServer(whole_from=1) as server:
        objects = S3Objects(replace(embedded, endpoint_url=f"http://127.0.0.1:{server.port}"))
        assert objects.read(KEY, max_bytes=len(BODY)) == BODY
        assert b"Authorization: " in server.requests[0] or b"authorization: " in server.requests[0]
        assert b"token-of-somebody-else" not in server.requests[0]
