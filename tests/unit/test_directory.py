"""The data directory: secrets, kept ports, and the lock that makes it one stack."""

import os
import pwd
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from octavo.directory import DataDirectory, DirectoryLock, free_port
from octavo.errors import DataDirectoryInUse, InvalidSettings, ServiceUnreachable

HOLD = """
import sys, time
from pathlib import Path
from octavo.directory import DataDirectory, DirectoryLock
with DirectoryLock(DataDirectory(Path(sys.argv[1]))):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def directory(tmp_path: Path) -> DataDirectory:
    found = DataDirectory(tmp_path / "data")
    found.prepare()
    return found


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_only_the_owner_may_look_inside(directory: DataDirectory) -> None:
    folders = [directory.path, *(path for path in directory.path.iterdir() if path.is_dir())]
    assert {path.name for path in folders[1:]} == {"objects", "prefect", "logs", "secrets"}
    assert {mode(path) for path in folders} == {0o700}


def test_preparing_twice_changes_nothing(directory: DataDirectory) -> None:
    token = directory.secret("admin_token")
    directory.prepare()
    assert directory.secret("admin_token") == token


def test_a_file_in_the_place_of_the_directory_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(InvalidSettings, match=r"cannot be the data directory .*Choose another with --data DIR"):
        DataDirectory(tmp_path / "data").prepare()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
@pytest.mark.parametrize("mode", [0o755, 0o700])
def test_a_data_directory_of_another_user_is_told_with_both_names(directory: DataDirectory, mode: int) -> None:
    directory.prepare()
    directory.ledger.write_bytes(b"")
    for path in (directory.path, *directory.path.parents):
        if path.stat().st_mode & 0o055 != 0o055 and path != directory.path:
            path.chmod(path.stat().st_mode | 0o055)
    directory.path.chmod(mode)
    (directory.path / "secrets").chmod(0o755)
    os.seteuid(pwd.getpwnam("nobody").pw_uid)
    try:
        with pytest.raises(InvalidSettings) as refused:
            directory.prepare()
    finally:
        os.seteuid(0)
    assert str(directory.path) in refused.value.message
    assert "--data DIR" in refused.value.message
    if mode == 0o755:
        assert "belongs to root and cannot be read and written by nobody" in refused.value.message


def test_a_secret_is_made_once_with_mode_0600(directory: DataDirectory) -> None:
    before = os.umask(0)
    try:
        token = directory.secret("admin_token")
    finally:
        os.umask(before)
    assert len(token) >= 43  # 256 bit
    assert directory.secret("admin_token") == token
    assert directory.secret("worker_token") != token
    assert mode(directory.path / "secrets" / "admin_token") == 0o600


def test_a_secret_of_a_stack_that_never_was_says_how_to_start_one(directory: DataDirectory) -> None:
    with pytest.raises(ServiceUnreachable, match="Start one: octavo up --data"):
        directory.kept_secret("admin_token")


def test_a_picked_port_is_kept(directory: DataDirectory) -> None:
    port = directory.kept_port("storage_port", wanted=0, host="127.0.0.1")
    again = DataDirectory(directory.path).kept_port("storage_port", wanted=0, host="127.0.0.1")
    assert again == port


def test_a_wanted_port_takes_the_place_of_the_kept_one(directory: DataDirectory) -> None:
    directory.kept_port("api_port", wanted=8000, host="127.0.0.1")
    assert directory.kept_port("api_port", wanted=8001, host="127.0.0.1") == 8001
    assert directory.notes()["api_port"] == "8001"


def test_two_ports_of_one_stack_differ(directory: DataDirectory) -> None:
    ports = {directory.kept_port(f"{name}_port", wanted=0, host="127.0.0.1") for name in ("storage", "prefect", "api")}
    assert len(ports) == 3


def test_a_picked_port_is_free_and_never_one_for_outgoing_connections() -> None:
    # A kept port out of that range would now and then be in use when a stack starts again.
    ranges = Path("/proc/sys/net/ipv4/ip_local_port_range")
    lowest = int(ranges.read_text().split()[0]) if ranges.exists() else 49152
    for _ in range(20):
        port = free_port()
        assert 1024 < port < lowest
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", port))


def test_an_address_of_another_machine_is_told() -> None:
    with pytest.raises(InvalidSettings, match=r"192\.0\.2\.1 cannot be bound here"):
        free_port("192.0.2.1")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"storage_port": "many"}'])
def test_broken_notes_are_as_none(directory: DataDirectory, text: str) -> None:
    (directory.path / "stack.json").write_text(text)
    assert directory.kept_port("storage_port", wanted=0, host="127.0.0.1") > 0


def test_a_second_holder_is_refused_and_told_where_the_first_one_is(directory: DataDirectory) -> None:
    directory.write_notes(api_url="http://127.0.0.1:8000")
    with (
        DirectoryLock(directory),
        pytest.raises(DataDirectoryInUse, match=r"running on .*data \(http://127\.0\.0\.1:8000\)\. Use that one"),
        DirectoryLock(directory),
    ):
        pass


def test_the_lock_is_free_again_after_its_holder(directory: DataDirectory) -> None:
    for _ in range(2):
        with DirectoryLock(directory):
            pass


def test_a_killed_holder_leaves_no_lock(directory: DataDirectory) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(directory.path)], stdout=subprocess.PIPE, text=True)
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(DataDirectoryInUse), DirectoryLock(directory):
            pass
        holder.send_signal(signal.SIGKILL)
        holder.wait(10)
        with DirectoryLock(directory):
            pass


def test_a_child_of_the_holder_does_not_keep_the_lock(directory: DataDirectory) -> None:
    with DirectoryLock(directory):
        child = subprocess.Popen(["sleep", "60"])
    try:
        with DirectoryLock(directory):
            pass
    finally:
        child.kill()
        child.wait()
