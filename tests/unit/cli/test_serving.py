"""What `octavo up` says about being ready: never before it is true."""

import contextlib
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from octavo.cli.serving import _when_ready
from octavo.directory import DataDirectory
from octavo.errors import ServiceUnreachable
from octavo.settings import read_settings
from octavo.supervisor.stack import Stack

SICK = {"parts": {"ledger": {"status": "ok"}, "worker": {"status": "down", "message": "no worker has said hello yet"}}}


class Health:
    """A service whose health is what a test says; counts how often it was asked."""

    def __init__(self) -> None:
        self.status, self.body = 503, SICK
        self.asked = 0


@contextlib.contextmanager
def service(health: Health) -> Iterator[int]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            health.asked += 1
            body = json.dumps(health.body).encode()
            self.send_response(health.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            if health.asked == 8:
                health.status = 200

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as found:
        threading.Thread(target=found.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield found.server_port
        finally:
            found.shutdown()


def stack_at(folder: Path, port: int) -> Stack:
    settings = read_settings(folder)
    directory = DataDirectory(folder)
    directory.prepare()
    api = settings.api.model_copy(update={"port": port, "internal_port": port})
    return Stack(settings.model_copy(update={"api": api}), directory)


def test_ready_is_said_when_all_of_it_is_well_and_not_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    health, asked_when_ready = Health(), []
    with service(health) as port:
        _when_ready(stack_at(tmp_path, port), lambda _: asked_when_ready.append(health.asked), patience_seconds=600)
    assert asked_when_ready == [9]
    assert capsys.readouterr().err == ""


def test_what_takes_too_long_is_told_once_with_its_reason_and_waited_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    health = Health()
    ready: list[Stack] = []
    with service(health) as port:
        _when_ready(stack_at(tmp_path, port), ready.append, patience_seconds=0)
    assert len(ready) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "not ready after 0 s: worker: no worker has said hello yet; see the logs" in line


def test_an_error_of_what_follows_is_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    health = Health()
    health.status = 200

    def fail(_: Stack) -> None:
        raise ServiceUnreachable("The stack went away.")

    with service(health) as port:
        _when_ready(stack_at(tmp_path, port), fail)
    assert capsys.readouterr().err == "octavo: The stack went away.\n"
