"""The receiver that the how-to shows is one that works."""

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from octavo.identifiers import DeliveryId
from octavo.outbound import Allowed, Outbound
from octavo.timestamps import now
from octavo.webhooks.standard import StandardSigner

PAGE = Path(__file__).resolve().parents[3] / "docs" / "howto" / "receive-webhooks.md"
SECRET = StandardSigner().secret(b"s" * 32)
BODY = b'{"type": "batch.completed", "timestamp": "", "data": {"id": "batch_1"}}'


@pytest.fixture
def place() -> Iterator[str]:
    """Serve the page's receiver, with a secret of ours."""
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    said: dict[str, Any] = {"__name__": "receiver"}
    exec(code, said)  # noqa: S102 - it is our own page
    said["SECRET"] = SECRET
    handler: type[BaseHTTPRequestHandler] = said["Receiver"]
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=lambda: server.serve_forever(0.02), daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def send(place: str, secret: str) -> int:
    headers = StandardSigner().headers(DeliveryId("delivery_1"), now(), BODY, [secret])
    return Outbound(allowed=Allowed.read([place])).post(f"http://{place}/", BODY, headers).status


def test_the_receiver_of_the_page_takes_our_messages_once_and_refuses_others(
    place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert send(place, SECRET) == 204
    assert send(place, SECRET) == 204
    assert send(place, StandardSigner().secret(b"t" * 32)) == 401
    assert capsys.readouterr().out == "batch.completed batch_1\n"
