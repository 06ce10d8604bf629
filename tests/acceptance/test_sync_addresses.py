"""Sync extractions by URL on a real stack: what a worker fetches, and what happens if the worker dies."""

import http.server
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import httpx
import pytest

from octavo.samples import make_samples
from tests.acceptance.stack import Stack, wait_for

LIMIT = 90.0


@dataclass
class Outside:
    """A server that customers may name; `held` paths are answered when `release` is set."""

    url: str
    documents: dict[str, bytes] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    release: threading.Event = field(default_factory=threading.Event)
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def outside(stack: Stack) -> Iterator[Outside]:
    found = Outside(f"http://127.0.0.1:{stack.outside}")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append(self.path)
            if self.path in found.held:
                found.release.wait(LIMIT)
            if self.path in found.redirects:
                self.send_response(302)
                self.send_header("Location", found.redirects[self.path])
                self.end_headers()
                return
            body = found.documents.get(self.path)
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", stack.outside), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield found
    found.release.set()
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("sync-addresses")
    make_samples(folder)
    return (folder / "report.pdf").read_bytes()


def ask(stack: Stack, key: str, url: str, limit: float = LIMIT) -> httpx.Response:
    return httpx.post(f"{stack.url}/v1/extract", json={"url": url}, headers={"X-API-KEY": key}, timeout=limit)


def send(stack: Stack, key: str, data: bytes) -> httpx.Response:
    files = {"file": ("report.pdf", data)}
    return httpx.post(f"{stack.url}/v1/extract/file", files=files, headers={"X-API-KEY": key}, timeout=LIMIT)


def test_a_document_by_address_gives_what_the_document_itself_gives(
    stack: Stack, outside: Outside, report: bytes
) -> None:
    key = stack.new_key("by-address")
    outside.documents["/report.pdf"] = report
    outside.redirects["/moved.pdf"] = "/report.pdf"
    sent = send(stack, key, report)
    assert sent.status_code == 200, sent.text
    for path in ("/report.pdf", "/moved.pdf"):
        answer = ask(stack, key, outside.url + path)
        assert (answer.status_code, answer.json()) == (200, sent.json())


def test_what_a_server_answers_instead_of_a_document_has_its_code(stack: Stack, outside: Outside) -> None:
    key = stack.new_key("by-address")
    outside.redirects["/inside"] = f"{stack.url}/health"
    outside.documents["/empty"] = b""
    for path, status, code in (
        ("/inside", 422, "url_not_allowed"),
        ("/missing", 422, "fetch_failed"),
        ("/empty", 415, "unsupported_input"),
    ):
        answer = ask(stack, key, outside.url + path)
        assert (answer.status_code, answer.json()["error"]) == (status, code), path


def test_a_call_outlives_the_worker_that_had_it(stack: Stack, outside: Outside, report: bytes) -> None:
    key = stack.new_key("by-address")
    outside.documents["/slow.pdf"] = report
    outside.held.add("/slow.pdf")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ask, stack, key, f"{outside.url}/slow.pdf")
        wait_for(lambda: outside.asked, limit=20, what="a worker that fetches")
        outside.held.clear()
        stack.strike("worker", signal.SIGKILL)
        found = answer.result()
    assert found.status_code == 200, found.text
    assert outside.asked == ["/slow.pdf"] * 2
    usage = httpx.get(f"{stack.url}/v1/usage", headers={"X-API-KEY": key}, timeout=60).json()
    assert usage["data"][-1]["items"] >= 1
