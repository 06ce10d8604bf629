"""What the two listeners of an API let in: who is judged by headers alone, which paths, which names, how slowly."""

import contextlib
import http.client
import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from octavo.directory import free_port
from octavo.ledger.duckdb import memory_ledger
from octavo.objects.memory import MemoryObjects
from octavo.settings import ApiSettings
from tests.unit.api.doors import Doors, answer_on, head, opened
from tests.unit.api.service import ADMIN_TOKEN, WORKER_TOKEN, add_customer, make_service, settings
from tests.unit.api.serving import LIMIT_SECONDS

MEGABYTE = 1024 * 1024
QUICK = ApiSettings(header_seconds=0.3, body_grace_seconds=0.3, max_connections=40)


@contextlib.contextmanager
def api_at_doors(folder: Path, api: ApiSettings | None = None) -> Iterator[tuple[Doors, str]]:
    ledger = memory_ledger()
    given = {} if api is None else {"api": api.model_dump()}
    service = make_service(settings(folder, **given), ledger, MemoryObjects())
    _, key = add_customer(ledger, "acme")
    nowhere = f"http://127.0.0.1:{free_port()}/api"
    with temporary_settings({PREFECT_API_URL: nowhere}), opened(service) as doors:
        yield doors, key
    ledger.close()


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Doors, str]]:
    with api_at_doors(tmp_path_factory.mktemp("api")) as found:
        yield found


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Doors, str]]:
    with api_at_doors(tmp_path_factory.mktemp("quick"), QUICK) as found:
        yield found


def get(url: str, **headers: str) -> httpx.Response:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.get(url, headers=fields, trust_env=False, timeout=LIMIT_SECONDS)


@pytest.mark.parametrize(
    ("path", "field", "code"),
    [
        ("/v1/batches", "X-API-KEY: oct_wrong", b"invalid_api_key"),
        ("/v1/files/bulk", "X-Nothing: x", b"invalid_api_key"),
        ("/v1/extract/file", "X-Nothing: x", b"invalid_api_key"),
        ("/internal/sync/result", "Authorization: Bearer wrong", b"invalid_admin_token"),
        ("/admin/keys", "X-Nothing: x", b"invalid_admin_token"),
    ],
)
def test_a_sender_is_refused_before_a_byte_of_the_body_is_there(
    api: tuple[Doors, str], path: str, field: str, code: bytes
) -> None:
    doors, _ = api
    with doors.connected(internal=path.startswith(("/internal", "/admin"))) as connection:
        connection.sendall(head("POST", path, field, "Content-Type: application/json", "Content-Length: 1000000"))
        told = answer_on(connection)  # it ends, so the connection was closed
    assert told.startswith(b"HTTP/1.1 401 ")
    assert code in told
    assert b"connection: close" in told.lower()


def test_a_client_that_sends_all_of_a_body_first_sees_why_it_was_refused(api: tuple[Doors, str]) -> None:
    doors, _ = api
    for _ in range(5):
        answer = httpx.post(f"{doors.url()}/v1/batches", content=b" " * 4 * MEGABYTE, trust_env=False)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_api_key")


def test_a_connection_goes_on_after_a_short_body_that_nobody_read(api: tuple[Doors, str]) -> None:
    doors, _ = api
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", doors.public)) as connection:
        connection.connect()
        connection.auto_open = 0  # no other connection is made in its place
        for _ in range(2):
            connection.request("POST", "/v1/batches", body=b"12345")
            answer = connection.getresponse()
            assert (answer.status, b"invalid_api_key" in answer.read()) == (401, True)


def test_the_public_listener_knows_neither_workers_nor_admin(api: tuple[Doors, str]) -> None:
    doors, key = api
    for path, token in (("/admin/customers", ADMIN_TOKEN), ("/internal/claims", WORKER_TOKEN)):
        for method in ("GET", "POST"):
            answer = httpx.request(
                method, doors.url() + path, headers={"Authorization": f"Bearer {token}"}, trust_env=False
            )
            assert (answer.status_code, answer.json()["error"]) == (404, "not_found")
    admin = get(f"{doors.url(internal=True)}/admin/customers", Authorization=f"Bearer {ADMIN_TOKEN}")
    assert admin.status_code == 200
    assert get(f"{doors.url(internal=True)}/v1/batches", X_API_KEY=key).status_code == 404
    assert get(f"{doors.url()}/v1/batches", X_API_KEY=key).status_code == 200
    assert {get(f"{doors.url(internal=inside)}/health").status_code for inside in (True, False)} <= {200, 503}


def test_a_name_that_is_not_ours_is_refused(api: tuple[Doors, str]) -> None:
    doors, key = api
    for host in ("evil.example", "evil.example:8000", "127.0.0.1.evil.example", "[::2]:80", ""):
        for internal in (True, False):
            with doors.connected(internal=internal) as connection:
                connection.sendall(head("GET", "/health", "Connection: close", host=host))
                told = answer_on(connection)
            assert told.startswith(b"HTTP/1.1 421 "), host
            assert b"host_not_allowed" in told
    for host in ("localhost", "LOCALHOST:1", "127.0.0.1:80", "[::1]:80"):
        assert get(f"{doors.url()}/v1/batches", X_API_KEY=key, Host=host).status_code == 200


def test_half_a_header_section_is_not_waited_for(quick: tuple[Doors, str]) -> None:
    doors, _ = quick
    for begun in (
        b"",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: ",
        b"GET /",
        b"POST / HTTP/1.1\r\n" + b"X: y\r\n" * 9,
    ):
        with doors.connected() as connection:
            connection.sendall(begun)
            assert answer_on(connection) == b""


def test_a_drip_of_header_bytes_buys_no_time(quick: tuple[Doors, str]) -> None:
    doors, _ = quick
    with doors.connected() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nX: ")
        began = time.monotonic()
        connection.settimeout(0.05)
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - began < LIMIT_SECONDS:
                connection.sendall(b"x")
                with contextlib.suppress(TimeoutError):
                    if not connection.recv(1):
                        break
        assert time.monotonic() - began < LIMIT_SECONDS


def test_a_second_request_has_its_own_time_for_headers(quick: tuple[Doors, str]) -> None:
    doors, _ = quick
    with doors.connected() as connection:
        connection.sendall(head("GET", "/source-of-nothing"))
        assert connection.recv(65536).startswith(b"HTTP/1.1 404 ")
        connection.sendall(b"GET / HT")
        assert b"HTTP/1.1" not in answer_on(connection)


def test_a_long_poll_outlives_every_limit_of_headers_and_bodies(quick: tuple[Doors, str]) -> None:
    doors, key = quick
    batch = httpx.post(
        f"{doors.url()}/v1/batches",
        json={"source": {"file_ids": ["file_none"]}},
        headers={"X-API-KEY": key},
        trust_env=False,
    )
    assert batch.status_code == 404
    began = time.monotonic()
    answer = httpx.post(
        f"{doors.url(internal=True)}/internal/sync/claims?wait=2",
        json={"worker_id": "worker/1"},
        headers={"Authorization": f"Bearer {WORKER_TOKEN}"},
        trust_env=False,
        timeout=LIMIT_SECONDS,
    )
    assert answer.json() == {"task": None}
    assert time.monotonic() - began > QUICK.header_seconds + QUICK.body_grace_seconds


def test_a_body_that_arrives_too_slowly_is_refused(quick: tuple[Doors, str]) -> None:
    doors, key = quick
    with doors.connected() as connection:
        fields = (f"X-API-KEY: {key}", "Content-Type: application/json", "Content-Length: 70000")
        connection.sendall(head("POST", "/v1/batches", *fields) + b" ")
        told = answer_on(connection)
    assert told.startswith(b"HTTP/1.1 408 ")
    assert json.loads(told.partition(b"\r\n\r\n")[2])["error"] == "request_timeout"


def test_a_body_that_keeps_the_pace_may_take_longer_than_the_grace(tmp_path: Path) -> None:
    slow = QUICK.model_copy(update={"min_body_bytes_per_second": 1})
    with api_at_doors(tmp_path, slow) as (doors, key), doors.connected() as connection:
        fields = (f"X-API-KEY: {key}", "Content-Type: application/json", "Content-Length: 70", "Connection: close")
        connection.sendall(head("POST", "/v1/batches", *fields) + b" " * 30)
        connection.settimeout(0.03)
        for _ in range(19):
            connection.sendall(b"  ")
            with contextlib.suppress(TimeoutError):
                assert connection.recv(1) == b"", "an answer before the end of the body"
        connection.settimeout(LIMIT_SECONDS)
        connection.sendall(b"  ")
        assert answer_on(connection).startswith(b"HTTP/1.1 422 ")


def test_idle_connections_make_room_and_the_other_listener_is_not_touched(quick: tuple[Doors, str]) -> None:
    doors, key = quick
    with contextlib.ExitStack() as stack:
        for _ in range(3 * QUICK.max_connections):
            connection = stack.enter_context(doors.connected())
            with contextlib.suppress(ConnectionError):
                connection.sendall(b"GET /")
        assert get(f"{doors.url()}/v1/batches", X_API_KEY=key).status_code == 200
        answer = get(f"{doors.url(internal=True)}/admin/customers", Authorization=f"Bearer {ADMIN_TOKEN}")
        assert answer.status_code == 200
