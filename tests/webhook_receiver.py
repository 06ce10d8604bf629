"""A receiver of webhooks: a real HTTP server on loopback that answers as a test tells it to."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook


@dataclass(frozen=True, slots=True)
class Message:
    """One POST as it came in."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        """What it says."""
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def verify(self, secret: str) -> dict[str, Any]:
        """Return what it says if it is signed with this secret; raises WebhookVerificationError."""
        found: dict[str, Any] = Webhook(secret).verify(self.body, self.headers)
        return found


@dataclass
class Receiver:
    """What was received, and what is answered."""

    port: int = 0
    host: str = "127.0.0.1"
    messages: list[Message] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    """Status of the next answers, in order; 200 when there are none left."""
    hold: Callable[[Message], None] = lambda _: None
    """Called before a message is answered; may block."""

    @property
    def place(self) -> str:
        """Host and port, as `outbound.allow` wants them."""
        return f"{self.host}:{self.port}"

    def url(self, path: str = "/hook") -> str:
        return f"http://{self.place}{path}"

    def at(self, path: str) -> list[Message]:
        """Return what came in at a path, in order."""
        return [message for message in self.messages if message.path == path]

    def take(self, message: Message) -> int:
        self.messages.append(message)
        self.hold(message)
        return self.answers.pop(0) if self.answers else 200


@contextlib.contextmanager
def receiving(port: int = 0, *, host: str = "127.0.0.1") -> Iterator[Receiver]:
    """Serve a receiver on this port, or a free one."""
    receiver = Receiver(host=host)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status = receiver.take(Message(self.path, headers, body))
            said = f"answer {status}".encode()
            with contextlib.suppress(ConnectionError):
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer((host, port), Handler) as server:
        server.daemon_threads = True
        receiver.port = server.server_address[1]
        thread = threading.Thread(target=lambda: server.serve_forever(0.02), name="webhook-receiver", daemon=True)
        thread.start()
        yield receiver
        server.shutdown()
        thread.join()
