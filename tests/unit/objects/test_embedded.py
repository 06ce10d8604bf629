import json
import os
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from octavo.errors import InvalidSettings, MissingProgram
from octavo.objects.embedded import (
    StorageKeys,
    create_keys,
    find_rclone,
    load_keys,
    load_or_create_keys,
    new_keys,
    remove_abandoned_uploads,
    storage_command,
    storage_environment,
)

KEYS = StorageKeys("ACCESSACCESSACCESS", "secret-secret-secret")
HERE = [("127.0.0.1", 9000)]


def _program(path: Path, answer: str) -> Path:
    path.write_text(f"#!/bin/sh\ncat <<'END'\n{answer}\nEND\n")
    path.chmod(0o755)
    return path


def _option(command: list[str], name: str) -> list[str]:
    return [command[place + 1] for place, word in enumerate(command) if word == name]


def test_packaged_rclone_is_found() -> None:
    assert os.access(find_rclone(), os.X_OK)


@pytest.mark.parametrize("version", ["rclone v1.75.2", "rclone v1.76.0", "rclone v2.0.0", "rclone v1.100.0"])
def test_given_rclone_of_a_good_version_is_taken(tmp_path: Path, version: str) -> None:
    program = _program(tmp_path / "rclone", version)
    assert find_rclone(program) == program


@pytest.mark.parametrize("version", ["rclone v1.75.1", "rclone v1.60.1-DEV", "rclone v0.99.9"])
def test_old_rclone_is_refused(tmp_path: Path, version: str) -> None:
    with pytest.raises(MissingProgram, match=r"needs 1\.75\.2"):
        find_rclone(_program(tmp_path / "rclone", version))


def test_what_is_no_rclone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingProgram, match="is not rclone"):
        find_rclone(_program(tmp_path / "rclone", "something v1.75.2"))
    with pytest.raises(MissingProgram, match="no program"):
        find_rclone(tmp_path / "absent")
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    with pytest.raises(MissingProgram, match="does not run"):
        find_rclone(broken)


def test_command_serves_the_directory_at_every_address(tmp_path: Path) -> None:
    command = storage_command(Path("rclone"), tmp_path, addresses=[*HERE, ("::1", 9000)])
    assert command[:5] == ["rclone", "--config", "/dev/null", "serve", "s3"]
    assert _option(command, "--addr") == ["127.0.0.1:9000", "[::1]:9000"]
    assert _option(command, "--etag-hash") == [""]
    assert command[-1] == str(tmp_path)


def test_command_has_no_remote_control_and_no_keys(tmp_path: Path) -> None:
    command = storage_command(Path("rclone"), tmp_path, addresses=HERE)
    assert not any(word.startswith(("--rc", "--auth-key")) for word in command)
    assert not any(secret in word for word in command for secret in (KEYS.access_key, KEYS.secret_key))


def test_browsers_are_let_in_only_when_asked_for(tmp_path: Path) -> None:
    assert _option(storage_command(Path("rclone"), tmp_path, addresses=HERE), "--allow-origin") == []
    opened = storage_command(Path("rclone"), tmp_path, addresses=HERE, allowed_origin="https://app.example")
    assert _option(opened, "--allow-origin") == ["https://app.example"]


def test_command_without_an_address_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs an address"):
        storage_command(Path("rclone"), tmp_path, addresses=[])


def test_environment_carries_the_keys_and_no_inherited_rclone_option() -> None:
    inherited = {
        "PATH": "/usr/bin",
        "RCLONE_RC": "true",
        "rclone_config": "/etc/x",
        "RCLONE_AUTH_KEY": '"a,b"',
    }
    assert storage_environment(KEYS, inherited) == {
        "PATH": "/usr/bin",
        "RCLONE_AUTH_KEY": '"ACCESSACCESSACCESS,secret-secret-secret"',
    }


def test_new_keys_are_random_and_do_not_show_their_secret() -> None:
    one, other = new_keys(), new_keys()
    assert one.access_key != other.access_key
    assert one.secret_key != other.secret_key
    assert one.secret_key not in repr(one)


@pytest.mark.parametrize("secret", ["", "short", "comma,comma,comma,comma", 'quote"quote"quote"quote'])
def test_keys_the_server_would_misread_are_refused(secret: str) -> None:
    with pytest.raises(InvalidSettings):
        StorageKeys(KEYS.access_key, secret)


def test_created_keys_are_loaded_again_and_only_the_owner_may_read_them(tmp_path: Path) -> None:
    keys = create_keys(tmp_path / "storage_keys")
    assert load_keys(tmp_path / "storage_keys") == keys
    assert stat.S_IMODE((tmp_path / "storage_keys").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["storage_keys"]


def test_keys_are_never_created_over_others(tmp_path: Path) -> None:
    keys = create_keys(tmp_path / "storage_keys")
    with pytest.raises(FileExistsError):
        create_keys(tmp_path / "storage_keys")
    assert load_keys(tmp_path / "storage_keys") == keys
    assert [path.name for path in tmp_path.iterdir()] == ["storage_keys"]


def test_all_who_start_at_once_get_the_same_keys(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        got = set(pool.map(load_or_create_keys, [tmp_path / "storage_keys"] * 8))
    assert len(got) == 1


def test_keys_that_others_may_read_are_refused(tmp_path: Path) -> None:
    create_keys(tmp_path / "storage_keys")
    (tmp_path / "storage_keys").chmod(0o640)
    with pytest.raises(InvalidSettings, match="chmod 600"):
        load_keys(tmp_path / "storage_keys")


@pytest.mark.parametrize("content", ["", "[]", "{}", json.dumps({"access_key": "a", "secret_key": "b"})])
def test_file_that_holds_no_keys_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "storage_keys"
    file.write_text(content)
    file.chmod(0o600)
    with pytest.raises(InvalidSettings):
        load_or_create_keys(file)
    assert file.read_text() == content


def test_only_old_abandoned_uploads_are_removed(tmp_path: Path) -> None:
    folder = tmp_path / "octavo" / "in"
    folder.mkdir(parents=True)
    names = [".rclone_temp_put_old", ".rclone_temp_put_new", "file_a"]
    for name in names:
        (folder / name).write_bytes(b"x")
    day_ago = time.time() - 24 * 3600 - 60
    for name in (".rclone_temp_put_old", "file_a"):
        os.utime(folder / name, (day_ago, day_ago))
    assert remove_abandoned_uploads(tmp_path) == [folder / ".rclone_temp_put_old"]
    assert sorted(path.name for path in folder.iterdir()) == [".rclone_temp_put_new", "file_a"]
