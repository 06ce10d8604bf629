"""The processes of a running stack: no secret on a command line, one stack per directory, what the doctor says."""

import json
import socket
import stat
from pathlib import Path

from tests.acceptance.stack import PARTS, Stack, processes, run_octavo


def test_no_secret_is_on_the_command_line_of_any_process(stack: Stack) -> None:
    secrets = [path.read_text() for path in (stack.data / "secrets").iterdir()]
    storage_keys = json.loads((stack.data / "secrets" / "storage_keys").read_text())
    words = [word for text in secrets for word in [text.strip(), *storage_keys.values()]]
    family = stack.family()
    lines = [line for pid, (_, line) in processes().items() if pid in family]
    assert len(lines) > len(PARTS)
    assert not [line for line in lines for word in words if word in line]
    assert f"serve s3 --addr 127.0.0.1:{_note(stack, 'storage_port')}" in processes()[stack.pid_of("storage")][1]


def test_secrets_are_for_their_owner_alone(stack: Stack) -> None:
    files = list((stack.data / "secrets").iterdir())
    assert {path.name for path in files} >= {"storage_keys", "admin_token", "worker_token"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_everything_listens_on_loopback_alone(stack: Stack) -> None:
    # 127.0.0.2 is this machine, too, but not the address that was asked for.
    for name in ("api_port", "internal_port", "storage_port", "prefect_port"):
        port = int(_note(stack, name))
        with socket.socket() as there, socket.socket() as elsewhere:
            assert there.connect_ex(("127.0.0.1", port)) == 0
            assert elsewhere.connect_ex(("127.0.0.2", port)) != 0


def test_a_second_up_on_the_same_directory_is_refused(stack: Stack) -> None:
    refused = run_octavo("up", "--data", str(stack.data))
    assert refused.returncode == 1
    (line,) = refused.stderr.splitlines()
    assert line.startswith(f"octavo: Another `octavo up` is running on {stack.data} ({stack.url})")
    answer = stack.health()
    assert answer is not None
    assert answer.status_code == 200


def test_a_port_in_use_is_told_with_the_option_that_changes_it(stack: Stack, tmp_path: Path) -> None:
    refused = run_octavo("up", "--data", str(tmp_path), "--port", str(stack.port))
    assert refused.returncode == 1
    (line,) = refused.stderr.splitlines()
    assert f"Port {stack.port} on 127.0.0.1, meant for api, cannot be used" in line
    assert "--port PORT" in line


def test_the_doctor_finds_everything_well_and_names_every_part(stack: Stack) -> None:
    found = run_octavo("doctor", "--data", str(stack.data))
    assert found.returncode == 0, found.stdout
    assert "fail" not in found.stdout
    names = {line.split()[1] for line in found.stdout.splitlines() if line.startswith("ok")}
    assert names == {"python", "package", "tesseract", "libmagic", "rclone", "engine", "sandbox", "disk", "stack"}
    assert f"running at {stack.url}" in found.stdout


def test_a_wrong_key_is_told_in_one_line(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("a note")
    refused = run_octavo("submit", str(tmp_path / "note.txt"), "--key", "sk-wrong", "--url", stack.url)
    assert refused.returncode == 1
    assert refused.stdout == ""
    (line,) = refused.stderr.splitlines()
    assert "--key" in line


def test_an_address_where_nobody_answers_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("a note")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        refused = run_octavo("submit", str(tmp_path / "note.txt"), "--key", "sk-any", "--url", url)
    assert refused.returncode == 1
    first, last = refused.stderr.splitlines()
    assert first.startswith(f"octavo: no good answer from {url}")
    assert last.startswith(f"octavo: No good answer from {url} after ")


def _note(stack: Stack, name: str) -> str:
    return str(json.loads((stack.data / "stack.json").read_text())[name])
