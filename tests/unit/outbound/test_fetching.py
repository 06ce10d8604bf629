"""Fetching from and posting to hostile servers."""

import hashlib
import socket
import threading
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import pytest

from octavo.errors import DocumentTooLarge, FetchFailed, OctavoError, UrlNotAllowed
from octavo.outbound import Allowed, Outbound, Posted, Resolver, TimeLimits
from octavo.outbound.resolving import system_resolver
from tests.unit.outbound.server import Server, certified, ok, redirect, saying, serving

MEGABYTE = 1024 * 1024
WEBHOOK = b'{"type": "batch.completed"}'
QUICK = TimeLimits(connect=5.0, read=0.3, total=1.0)
"""Short, so that a server that dawdles is found out soon."""


def outbound(*servers: Server, time_limits: TimeLimits | None = None) -> Outbound:
    return Outbound(allowed=Allowed.read(server.place for server in servers), time_limits=time_limits)


def refused(
    server: Server, tmp_path: Path, error: type[OctavoError], *, max_bytes: int = MEGABYTE, quick: bool = False
) -> OctavoError:
    """Fetch in vain; nothing is left of it."""
    into = tmp_path / "document"
    with pytest.raises(error) as raised:
        outbound(server, time_limits=QUICK if quick else None).fetch(server.url(), into, max_bytes=max_bytes)
    assert not into.exists()
    return raised.value


def test_a_document_is_fetched_to_its_file(tmp_path: Path) -> None:
    into = tmp_path / "document"
    answer = ok(b"%PDF-1.7 and so on", "Content-Type: application/PDF; charset=x", "Set-Cookie: a=b")
    with serving(saying(answer)) as server:
        found = outbound(server).fetch(server.url("/reports/May%20report.pdf?v=2"), into, max_bytes=MEGABYTE)
    assert into.read_bytes() == b"%PDF-1.7 and so on"
    assert found.size_bytes == 18
    assert found.sha256 == hashlib.sha256(b"%PDF-1.7 and so on").hexdigest()
    assert (found.content_type, found.filename) == ("application/pdf", "May report.pdf")
    head = server.heads[0].lower()
    assert head.startswith("get /reports/may%20report.pdf?v=2 http/1.1\r\n")
    assert f"host: {server.place}\r\n" in head
    assert "accept-encoding: identity" in head
    assert not any(word in head for word in ("cookie", "authorization", "referer", "proxy"))


def test_a_place_that_is_not_listed_is_never_connected_to(tmp_path: Path) -> None:
    with serving(saying(ok(b"secret"))) as server, pytest.raises(UrlNotAllowed):
        Outbound().fetch(server.url(), tmp_path / "document", max_bytes=MEGABYTE)
    assert not server.heads


def test_a_name_that_leads_inside_is_refused_also_beside_a_public_address(tmp_path: Path) -> None:
    for answer in (["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["::ffff:169.254.169.254"], ["fd00::1"]):
        fetcher = Outbound(resolver=lambda host, port, found=answer: found)  # type: ignore[misc]
        with pytest.raises(UrlNotAllowed) as raised:
            fetcher.fetch("https://example.com/", tmp_path / "document", max_bytes=MEGABYTE)
        assert answer[0] not in raised.value.message, "the answer would map the inside network"


def test_a_name_is_resolved_once_and_the_connection_goes_to_that_address(tmp_path: Path) -> None:
    # Rebinding: whoever asks a second time is told another address.
    answers = iter([["127.0.0.1"], ["127.9.9.9"], ["127.9.9.9"]])
    asked = count()

    def resolver(host: str, port: int) -> Sequence[str]:
        next(asked)
        return next(answers)

    with serving(saying(ok(b"a"))) as server:
        fetcher = Outbound(allowed=Allowed.read([f"documents.test:{server.port}"]), resolver=resolver)
        fetcher.fetch(f"http://documents.test:{server.port}/", tmp_path / "a", max_bytes=MEGABYTE)
        assert next(asked) == 1
        assert f"Host: documents.test:{server.port}" in server.heads[0]
        # The next request asks anew, and goes where it is then told: nobody listens there.
        with pytest.raises(FetchFailed):
            fetcher.fetch(f"http://documents.test:{server.port}/", tmp_path / "b", max_bytes=MEGABYTE)
        assert len(server.heads) == 1


def test_an_unknown_name_and_a_slow_resolver_fail_the_fetch(tmp_path: Path) -> None:
    held = threading.Event()

    def slow(host: str, port: int) -> Sequence[str]:
        held.wait(30)
        return ["8.8.8.8"]

    def unknown(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    try:
        resolvers: tuple[Resolver, ...] = (slow, unknown, lambda host, port: [])
        for resolver in resolvers:
            fetcher = Outbound(resolver=resolver, time_limits=TimeLimits(connect=0.1))
            with pytest.raises(FetchFailed):
                fetcher.fetch("https://example.com/", tmp_path / "document", max_bytes=MEGABYTE)
    finally:
        held.set()


def test_the_system_resolver_gives_addresses() -> None:
    assert system_resolver("127.0.0.1", 80) == ["127.0.0.1"]


@pytest.mark.parametrize(
    "to",
    [
        "http://10.0.0.1/", "http://169.254.169.254/latest/meta-data/", "http://[::1]/", "http://0x7f000001/",
        "http://localhost/", "file:///etc/passwd", "ftp://example.com/", "http://a:b@example.com/",
        "http://example.com:25/", "//127.0.0.1/", "",
    ],
)  # fmt: skip
def test_each_redirect_is_checked_as_the_first_address_was(tmp_path: Path, to: str) -> None:
    with serving(saying(redirect(to))) as server:
        if to:
            refused(server, tmp_path, UrlNotAllowed)
            assert len(server.heads) == 1
        else:
            refused(server, tmp_path, FetchFailed)  # To itself, for ever.


def test_a_redirect_to_another_port_of_the_same_host_is_not_listed(tmp_path: Path) -> None:
    with serving(saying(ok(b"secret"))) as inside, serving(saying(redirect(inside.url()))) as outside:
        refused(outside, tmp_path, UrlNotAllowed)
        assert not inside.heads


def test_a_few_redirects_are_followed_and_no_more(tmp_path: Path) -> None:
    left = iter(range(5, -1, -1))

    def say(head: str, connection: socket.socket) -> None:
        rest = next(left)
        connection.sendall(redirect(f"next-{rest}") if rest else ok(b"found"))

    with serving(say) as server:
        found = outbound(server).fetch(server.url("/a/b"), tmp_path / "document", max_bytes=MEGABYTE)
        assert found.url == server.url("/a/next-1")
    (tmp_path / "document").unlink()
    with serving(saying(redirect("/again"))) as server:
        refused(server, tmp_path, FetchFailed)
        assert len(server.heads) == 6


def test_a_declared_length_over_the_cap_is_not_read(tmp_path: Path) -> None:
    with serving(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")) as server:
        refused(server, tmp_path, DocumentTooLarge)


def test_a_body_without_end_is_cut_off_at_the_cap(tmp_path: Path) -> None:
    sent = []

    def say(head: str, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            connection.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            sent.append(65536)

    with serving(say) as server:
        refused(server, tmp_path, DocumentTooLarge)
    assert sum(sent) < 64 * MEGABYTE


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip, gzip"])
def test_a_compressed_answer_is_refused_not_unfolded(tmp_path: Path, coding: str) -> None:
    with serving(saying(ok(b"\x1f\x8b", f"Content-Encoding: {coding}"))) as server:
        refused(server, tmp_path, FetchFailed)


def test_a_body_in_drops_ends_at_the_deadline(tmp_path: Path) -> None:
    stop = threading.Event()

    def say(head: str, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not stop.wait(0.05):
            connection.sendall(b"x")

    with serving(say) as server:
        began = time.monotonic()
        refused(server, tmp_path, FetchFailed, quick=True)
        assert time.monotonic() - began < 40, "all of it would take 50 s"
        stop.set()


def test_a_head_in_drops_ends_at_the_deadline(tmp_path: Path) -> None:
    stop = threading.Event()

    def say(head: str, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while not stop.wait(0.05):
            connection.sendall(b"A: b\r\n")

    with serving(say) as server:
        refused(server, tmp_path, FetchFailed, quick=True)
        stop.set()


def test_a_server_that_says_nothing_is_left(tmp_path: Path) -> None:
    stop = threading.Event()
    with serving(lambda head, connection: (stop.wait(30), None)[1]) as server:
        refused(server, tmp_path, FetchFailed, quick=True)
        stop.set()


def test_a_head_without_end_is_cut_off(tmp_path: Path) -> None:
    sent = []

    def say(head: str, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nA: ")
        while True:
            connection.sendall(b"x" * 65536)
            sent.append(65536)

    with serving(say) as server:
        refused(server, tmp_path, FetchFailed)
    assert sum(sent) < 64 * MEGABYTE


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\n",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 206 Partial Content\r\nContent-Length: 1\r\n\r\na",
        b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_what_is_not_a_whole_document_fails_the_fetch(tmp_path: Path, answer: bytes) -> None:
    with serving(saying(answer)) as server:
        refused(server, tmp_path, FetchFailed)


def test_nobody_listening_fails_the_fetch(tmp_path: Path) -> None:
    with serving(saying(b"")) as server:
        pass
    refused(server, tmp_path, FetchFailed)


def test_proxies_of_the_environment_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(saying(ok(b"proxied"))) as proxy, serving(saying(ok(b"direct"))) as server:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url())
        outbound(server).fetch(server.url(), tmp_path / "document", max_bytes=MEGABYTE)
        assert (tmp_path / "document").read_bytes() == b"direct"
        assert not proxy.heads


def test_the_certificate_must_be_for_the_name_though_the_address_is_pinned(tmp_path: Path) -> None:
    server_tls, client_tls = certified("documents.test", tmp_path)
    with serving(saying(ok(b"a")), server_tls) as server:
        places = [f"documents.test:{server.port}", f"other.test:{server.port}"]
        fetcher = Outbound(allowed=Allowed.read(places), resolver=lambda host, port: ["127.0.0.1"], tls=client_tls)
        fetcher.fetch(f"https://{places[0]}/", tmp_path / "a", max_bytes=MEGABYTE)
        with pytest.raises(FetchFailed, match="certificate"):
            fetcher.fetch(f"https://{places[1]}/", tmp_path / "b", max_bytes=MEGABYTE)
        untrusting = Outbound(allowed=Allowed.read(places), resolver=lambda host, port: ["127.0.0.1"])
        with pytest.raises(FetchFailed, match="certificate"):
            untrusting.fetch(f"https://{places[0]}/", tmp_path / "c", max_bytes=MEGABYTE)
        assert len(server.heads) == 1


# Posting


def posted(server: Server, body: bytes = WEBHOOK) -> Posted:
    return outbound(server, time_limits=TimeLimits(read=2.0, total=3.0)).post(
        server.url("/hook"), body, {"Content-Type": "application/json", "webhook-id": "msg_1"}
    )


def test_a_webhook_is_posted_with_its_headers() -> None:
    with serving(saying(ok(b"thanks"))) as server:
        answer = posted(server)
    assert (answer.status, answer.body) == (200, b"thanks")
    head = server.heads[0]
    assert head.startswith("POST /hook HTTP/1.1\r\n")
    assert "webhook-id: msg_1" in head
    assert f"content-length: {len(WEBHOOK)}\r\n" in head.lower()


def test_a_post_follows_no_redirect_and_reads_no_endless_answer() -> None:
    with serving(saying(redirect("http://10.0.0.1/"))) as server:
        assert posted(server).status == 302

    def say(head: str, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            connection.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")

    with serving(say) as server:
        answer = posted(server)
    assert (answer.status, len(answer.body)) == (500, 16 * 1024)


def test_a_post_goes_to_public_https_addresses_alone() -> None:
    for url in ("http://example.com/", "https://10.0.0.1/", "https://localhost/", "https://example.com:8443/"):
        with pytest.raises(UrlNotAllowed):
            Outbound().post(url, b"{}", {})
    with pytest.raises(UrlNotAllowed):
        Outbound(resolver=lambda host, port: ["192.168.0.1"]).post("https://example.com/", b"{}", {})


def test_a_receiver_that_takes_nothing_in_is_left_at_the_deadline() -> None:
    stop = threading.Event()

    class Deaf(Server):
        def _answer(self, plain: socket.socket) -> None:
            with plain:
                stop.wait(30)

    server = Deaf(saying(b""))
    try:
        with pytest.raises(FetchFailed):
            posted(server, b"x" * 64 * MEGABYTE)
    finally:
        stop.set()
        server.close()
