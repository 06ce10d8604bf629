"""Settings: where they come from, and that an error about a bad one names it on one line."""

import os
from pathlib import Path

import pytest

from octavo import settings
from octavo.errors import InvalidSettings
from octavo.settings import WorkerSettings, machine_cores, machine_memory, read_settings


@pytest.fixture(autouse=True)
def _no_settings_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("OCTAVO_")]:
        monkeypatch.delenv(name)


def write(folder: Path, text: str) -> Path:
    (folder / "octavo.toml").write_text(text)
    return folder


def refusal(data: Path) -> str:
    with pytest.raises(InvalidSettings) as found:
        read_settings(data)
    assert "\n" not in found.value.message
    return found.value.message


def test_everything_has_a_default(tmp_path: Path) -> None:
    settings = read_settings(tmp_path)
    assert settings.data == tmp_path
    assert (settings.api.host, settings.api.port) == ("127.0.0.1", 8000)
    assert settings.worker.test_engines is False


def test_the_file_in_the_data_directory_is_read(tmp_path: Path) -> None:
    settings = read_settings(write(tmp_path, '[api]\nport = 8123\nallowed_origins = ["https://console.example"]\n'))
    assert (settings.api.port, settings.api.allowed_origins) == (8123, ["https://console.example"])


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCTAVO_API__PORT", "8124")
    settings = read_settings(write(tmp_path, '[api]\nport = 8123\nhost = "127.0.0.3"\n'))
    assert (settings.api.port, settings.api.host) == (8124, "127.0.0.3")


def test_the_data_directory_may_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCTAVO_DATA", str(write(tmp_path, "[api]\nport = 8123\n")))
    settings = read_settings()
    assert (settings.data, settings.api.port) == (tmp_path, 8123)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[api]\nport = "many"\n', "api.port: Input should be a valid integer"),
        ("[api]\nport = 70000\n", "api.port: Input should be less than or equal to 65535"),
        ("[api]\nportt = 1\n", "api.portt: there is no such setting"),
        ("[apii]\nport = 1\n", "apii: there is no such setting"),
        ("port = 1\n", "port: there is no such setting"),
        ("api = 3\n", "api: Input should be a valid dictionary"),
        ('[sandbox]\nrequire = "some"\n', "sandbox.require: Input should be 'all' or 'none'"),
        ("[api\n", "octavo.toml in the data directory cannot be read: Expected ']'"),
    ],
)
def test_a_bad_line_of_the_file_is_told_in_one_line(tmp_path: Path, text: str, told: str) -> None:
    assert told in refusal(write(tmp_path, text))


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("OCTAVO_API__PORT", "many", "api.port: Input should be a valid integer"),
        ("OCTAVO_API__PORTT", "1", "api.portt: there is no such setting"),
        ("OCTAVO_APII__PORT", "1", "There is no setting OCTAVO_APII__PORT; settings begin with one of OCTAVO_API__"),
        ("OCTAVO_API__ALLOWED_ORIGINS", "https://a.example", "Lists are written as JSON"),
        ("OCTAVO_WORKER", "two", 'error parsing value for field "worker"'),
        ("OCTAVO_WORKER__SLOTS", "0", "worker.slots: Input should be greater than or equal to 1"),
    ],
)
def test_a_bad_variable_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str
) -> None:
    monkeypatch.setenv(name, value)
    assert told in refusal(tmp_path)


def test_several_bad_settings_are_told_together(tmp_path: Path) -> None:
    message = refusal(write(tmp_path, '[api]\nport = "many"\n[worker]\nslots = "few"\n'))
    assert "api.port" in message
    assert "worker.slots" in message


def test_a_refusal_does_not_repeat_a_secret(tmp_path: Path) -> None:
    assert "hush" not in refusal(write(tmp_path, '[storage]\nsecret_key = ["hush"]\nbucket = "a"\n'))


def test_variables_of_the_command_line_are_no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OCTAVO_KEY", "OCTAVO_URL", "OCTAVO_SLEEP_SECONDS"):
        monkeypatch.setenv(name, "x")
    assert read_settings(tmp_path).data == tmp_path


# What a worker takes of its machine


def test_workers_share_cores_and_memory_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "machine_cores", lambda: 4)
    alone, pair, crowd = (WorkerSettings(count=count) for count in (1, 2, 9))
    assert [found.children for found in (alone, pair, crowd)] == [4, 2, 1]
    assert pair.document_memory == alone.document_memory // 2
    assert WorkerSettings(count=2, processes=3, memory_bytes=1000).children == 3
    assert WorkerSettings(count=2, memory_bytes=1000).document_memory == 1000
    assert WorkerSettings(count=0).children == 4, "a worker of its own, whose node starts none, has all cores"


@pytest.mark.parametrize(("limit", "is_less"), [("1073741824\n", True), ("max\n", False), (None, False)])
def test_a_container_s_memory_counts_where_it_is_less_than_the_machine_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str | None, is_less: bool
) -> None:
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if limit is not None:
        (tmp_path / "memory.max").write_text(limit)
    monkeypatch.setattr(settings, "CGROUP_LIMIT", tmp_path / "memory.max")
    assert machine_memory() == (1024**3 if is_less else physical)


@pytest.mark.parametrize(
    ("limit", "cores"),
    [("max 100000", 4), ("200000 100000", 2), ("150000 100000", 2), ("50000 100000", 1), ("900000 100000", 4)],
)
def test_a_worker_counts_the_cores_its_container_may_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, cores: int
) -> None:
    (tmp_path / "cpu.max").write_text(f"{limit}\n")
    monkeypatch.setattr(settings, "CGROUP_CORES", tmp_path / "cpu.max")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    assert machine_cores() == cores
    assert WorkerSettings().children == cores
    assert WorkerSettings(count=2).children == max(1, cores // 2)
