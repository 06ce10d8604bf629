"""Errors are printed on one line that says what to do, with exit code 1."""

import contextlib
import http.server
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import Result

from octavo.cli.terminal import own_command
from octavo.directory import DataDirectory, DirectoryLock, free_port
from tests.unit.cli.conftest import Octavo


def one_line(found: Result) -> str:
    """Return the only line on stderr of a command that was refused."""
    assert found.exit_code == 1, found.output
    assert found.stdout == ""
    (line,) = found.stderr.splitlines()
    assert line.startswith("octavo: ")
    return line


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "note.txt"
    path.write_text("a note")
    return path


# up


def test_a_second_up_on_the_same_directory_is_refused(octavo: Octavo, tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    directory.prepare()
    directory.write_notes(api_url="http://127.0.0.1:8123")
    with DirectoryLock(directory):
        line = one_line(octavo("up", "--data", tmp_path))
    assert f"Another `octavo up` is running on {tmp_path} (http://127.0.0.1:8123)." in line
    assert "--data" in line


@pytest.mark.parametrize(
    ("part", "advice"),
    [("api", "--port PORT"), ("storage", "OCTAVO_STORAGE__PORT=PORT"), ("prefect", "OCTAVO_PREFECT__PORT=PORT")],
)
def test_a_port_in_use_is_told_with_the_setting_that_changes_it(
    octavo: Octavo, tmp_path: Path, part: str, advice: str
) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        ports = {"OCTAVO_API__PORT": str(free_port())} | {f"OCTAVO_{part.upper()}__PORT": str(port)}
        line = one_line(octavo("up", "--data", tmp_path, **ports))
    assert f"Port {port} on 127.0.0.1, meant for {part}, cannot be used (Address already in use)." in line
    assert advice in line


def test_an_address_of_another_machine_cannot_be_bound(octavo: Octavo, tmp_path: Path) -> None:
    line = one_line(octavo("up", "--data", tmp_path, "--host", "192.0.2.1"))
    assert "192.0.2.1 cannot be bound here" in line


def test_a_refused_up_lets_the_lock_go(octavo: Octavo, tmp_path: Path) -> None:
    one_line(octavo("up", "--data", tmp_path, "--host", "192.0.2.1"))
    with DirectoryLock(DataDirectory(tmp_path)):
        pass


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[api]\nportt = 1\n", "api.portt: there is no such setting"),
        ('[api]\nport = "many"\n', "api.port: Input should be a valid integer"),
        ("[api\n", "octavo.toml in the data directory cannot be read"),
    ],
)
def test_a_bad_settings_file_is_told(octavo: Octavo, tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "octavo.toml").write_text(text)
    assert told in one_line(octavo("up", "--data", tmp_path))


def test_a_bad_variable_is_told(octavo: Octavo, tmp_path: Path) -> None:
    line = one_line(octavo("up", "--data", tmp_path, OCTAVO_WORKER__SLOTS="none"))
    assert "worker.slots" in line


def test_a_data_directory_that_is_a_file_is_told(octavo: Octavo, document: Path) -> None:
    assert "cannot be the data directory" in one_line(octavo("up", "--data", document))


# keys


def test_a_key_without_a_stack_says_how_to_start_one(octavo: Octavo, tmp_path: Path) -> None:
    line = one_line(octavo("keys", "create", "--customer", "acme", "--data", tmp_path))
    assert f"octavo up --data {tmp_path}" in line


def test_a_key_from_a_stack_that_has_ended_says_how_to_start_it(octavo: Octavo, tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    directory.prepare()
    directory.secret("admin_token")
    url = f"http://127.0.0.1:{free_port()}"
    directory.write_notes(internal_api_url=url)
    line = one_line(octavo("keys", "create", "--customer", "acme", "--data", tmp_path))
    assert f"does not answer (ConnectError at {url}). Start it: {own_command()} up --data {tmp_path}" in line


# submit


def test_a_path_that_does_not_exist_is_told(octavo: Octavo, tmp_path: Path) -> None:
    line = one_line(octavo("submit", tmp_path / "no.pdf", "--key", "k", "--out", tmp_path / "out"))
    assert f"There is no file or folder {tmp_path}/no.pdf." in line


def test_an_empty_folder_is_told(octavo: Octavo, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / ".hidden").write_text("not looked at")
    line = one_line(octavo("submit", tmp_path / "in", "--key", "k", "--out", tmp_path / "out"))
    assert "There are no files in the given paths." in line


def test_no_key_says_where_one_comes_from(octavo: Octavo, document: Path) -> None:
    found = octavo("submit", document)
    assert found.exit_code == 2
    assert "--key" in found.stderr


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "http://", "http://[::1", "ftp://127.0.0.1", "http://a b/", "x"])
def test_an_address_that_is_none_is_told_at_once(octavo: Octavo, document: Path, tmp_path: Path, url: str) -> None:
    line = one_line(octavo("submit", document, "--key", "k", "--url", url, "--out", tmp_path / "out"))
    assert url in line
    assert "http://HOST:PORT" in line


def test_a_key_with_letters_no_key_has_is_told(octavo: Octavo, document: Path, tmp_path: Path) -> None:
    line = one_line(octavo("submit", document, "--key", "schlüssel", "--out", tmp_path / "out"))
    assert "octavo keys create" in line
    assert "schl" not in line


def test_an_output_folder_that_is_a_file_is_told(octavo: Octavo, document: Path) -> None:
    line = one_line(octavo("submit", document, "--key", "k", "--url", "http://127.0.0.1:9", "--out", document))
    assert str(document) in line


@contextlib.contextmanager
def another_service() -> Iterator[str]:
    """Run a web server that is no Octavo: it says yes to everything."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(200)
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"<html")

        do_GET = do_PUT = do_POST

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as found:
        threading.Thread(target=found.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{found.server_port}"
        finally:
            found.shutdown()


def test_an_address_of_something_else_is_told(octavo: Octavo, document: Path, tmp_path: Path) -> None:
    with another_service() as url:
        line = one_line(octavo("submit", document, "--key", "k", "--url", url, "--out", tmp_path / "out"))
    assert "is the address right?" in line


def test_a_change_of_a_customer_that_changes_nothing_is_told(octavo: Octavo) -> None:
    assert "--cap" in one_line(octavo("customers", "set", "acme"))


@pytest.mark.parametrize("limit", ["many", "-1", "1.5", "", "٣"])
def test_a_limit_that_is_no_number_is_told(octavo: Octavo, limit: str) -> None:
    assert "default" in one_line(octavo("customers", "set", "acme", f"--quota={limit}"))


# extract and doctor


def test_a_document_that_cannot_be_read_is_told(octavo: Octavo, document: Path) -> None:
    assert one_line(octavo("extract", document.rename(document.with_suffix(".pdf"))))


def test_an_unknown_engine_is_told(octavo: Octavo, document: Path) -> None:
    assert "nope" in one_line(octavo("extract", document, "--engine", "nope"))


def test_the_doctor_tells_of_something_else_at_the_address_of_the_stack(octavo: Octavo, tmp_path: Path) -> None:
    with another_service() as url:
        DataDirectory(tmp_path).prepare()
        DataDirectory(tmp_path).write_notes(internal_api_url=url)
        found = octavo("doctor", "--data", tmp_path)
    assert found.exit_code == 1
    assert "fail stack" in found.stdout
