"""`octavo ledger rebuild` over the embedded storage: what it makes, what it refuses, what it leaves alone."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner, Result

from octavo.archive.writing import ArchiveWriter
from octavo.batches import BatchStatus
from octavo.cli.app import app
from octavo.directory import DataDirectory, DirectoryLock, free_port
from octavo.identifiers import new_call_id
from octavo.ledger.duckdb import DuckdbLedger
from octavo.ledger.restoring import LEASES_PER_GENERATION
from octavo.objects import embedded, keys
from octavo.objects.s3 import S3Objects, S3Settings
from octavo.settings import read_settings
from octavo.supervisor.alone import running
from octavo.supervisor.stack import Stack
from tests.contract.ledger.world import StandingClock, World, begin, finish

Octavo = Callable[..., Result]


@pytest.fixture
def octavo(monkeypatch: pytest.MonkeyPatch) -> Octavo:
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.setenv("NO_COLOR", "1")
    return lambda *words, **more: CliRunner().invoke(app, [str(word) for word in words], env=more)


def rebuild(octavo: Octavo, data: Path, *words: str, **more: str) -> Result:
    return octavo("ledger", "rebuild", "--data", data, *words, **more)


def refused(found: Result, *, exit_code: int = 1) -> str:
    assert found.exit_code == exit_code, found.output
    return found.stderr.splitlines()[-1]


class Data:
    """A data directory with a ledger in mid-batch, archived."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.directory = DataDirectory(path)
        self.directory.prepare()
        self.clock = StandingClock()
        ledger = DuckdbLedger(self.directory.ledger, clock=self.clock)
        self.world = World(ledger, self.clock)
        ledger.accounts.add_key(self.world.customer.customer_id, prefix="ok", digest="digest")
        self.batch = self.world.batch(4)
        self.done, self.begun, _ = self.world.take(self.batch, 3)
        self.world.say(finish(self.done), begin(self.begun))
        with self.storage() as objects:
            ArchiveWriter(ledger, objects).look()
        ledger.close()

    def storage(self) -> "Storage":
        return Storage(self.directory)

    def lose(self) -> None:
        self.directory.ledger.unlink()

    def reopened(self) -> World:
        return World(DuckdbLedger(self.directory.ledger, clock=self.clock), self.clock)


class Storage:
    """The embedded storage of a data directory, running."""

    def __init__(self, directory: DataDirectory) -> None:
        stack = Stack(read_settings(directory.path), directory)
        spec = stack.storage_alone()
        assert spec is not None
        self._running = running(spec, directory.children)
        own = embedded.load_or_create_keys(directory.storage_keys)
        url = stack.addresses.storage_url
        self._objects = S3Objects(S3Settings(url, url, "octavo", own.access_key, own.secret_key, "us-east-1"))

    def __enter__(self) -> S3Objects:
        self._running.__enter__()
        self._objects.ensure_bucket()
        return self._objects

    def __exit__(self, *_: object) -> None:
        self._running.__exit__(None, None, None)


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Data]:
    made = Data(tmp_path / "data")
    yield made
    assert json.loads(made.directory.children.read_text()) == {}, "a storage server was left running"


def test_a_lost_ledger_comes_back_and_its_batch_goes_on(octavo: Octavo, data: Data) -> None:
    data.lose()
    found = rebuild(octavo, data.path)
    assert found.exit_code == 0, found.output
    rows = [line.split() for line in found.stdout.splitlines()]
    assert rows == [
        ["customers", "1"],
        ["keys", "1"],
        ["files", "4"],
        ["batches", "1"],
        ["items", "pending", "3"],
        ["items", "succeeded", "1"],
        ["pages", "billed", "2"],
    ]
    assert f"octavo up --data {data.path}" in found.stderr
    world = data.reopened()
    try:
        assert world.ledger.accounts.principal("digest") is not None
        assert not world.say(finish(data.begun))[0].accepted
        assert world.take(data.batch)[0].lease_no == LEASES_PER_GENERATION + 1
        world.ledger.work.revoke(worker_id=world.ledger.work.workers()[0])
        world.work_off(data.batch)
        assert world.now(data.batch).status is BatchStatus.COMPLETED
        assert world.pages() == 8
    finally:
        world.ledger.close()
    assert sorted(path.name for path in data.path.glob("ledger*")) == ["ledger.duckdb"]


def test_all_that_was_billed_is_counted_also_sync_extractions_and_batches_that_are_gone(
    octavo: Octavo, data: Data
) -> None:
    world = data.reopened()
    deleted = world.batch(1)
    world.work_off(deleted)
    world.ledger.batches.delete(deleted.customer_id, deleted.batch_id)
    assert world.ledger.billing.bill_call(world.customer.customer_id, new_call_id(), 5)
    with data.storage() as objects:
        ArchiveWriter(world.ledger, objects).look()
    billed = world.pages()
    world.ledger.close()
    assert billed == 2 + 2 + 5
    data.lose()
    found = rebuild(octavo, data.path)
    assert ["pages", "billed", str(billed)] in [line.split() for line in found.stdout.splitlines()]
    world = data.reopened()
    assert world.pages() == billed
    world.ledger.close()


def test_the_archive_is_the_new_ledgers_from_then_on(octavo: Octavo, data: Data) -> None:
    old = json.loads((data.directory.objects / "octavo" / keys.ARCHIVE_IDENTITY).read_text())
    data.lose()
    assert rebuild(octavo, data.path).exit_code == 0
    new = json.loads((data.directory.objects / "octavo" / keys.ARCHIVE_IDENTITY).read_text())
    assert (old["generation"], new["generation"]) == (0, 1)
    assert old["ledger_id"] != new["ledger_id"]
    world = data.reopened()
    with data.storage() as objects:
        world.work_off(data.batch)
        ArchiveWriter(world.ledger, objects).look()
    world.ledger.close()
    data.lose()
    again = rebuild(octavo, data.path)
    assert again.exit_code == 0
    assert "items succeeded  4" in again.stdout


def test_a_ledger_that_is_there_is_only_moved_aside_when_that_is_asked(octavo: Octavo, data: Data) -> None:
    before = data.directory.ledger.read_bytes()
    assert "--force" in refused(rebuild(octavo, data.path))
    assert data.directory.ledger.read_bytes() == before
    assert rebuild(octavo, data.path, "--force").exit_code == 0
    (aside,) = data.path.glob("ledger.duckdb.OLD-*")
    assert aside.read_bytes() == before
    assert data.directory.ledger.read_bytes() != before


def test_a_log_that_was_left_over_is_never_played_into_the_new_ledger(octavo: Octavo, data: Data) -> None:
    data.lose()
    log = data.path / "ledger.duckdb.wal"
    log.write_bytes(b"of a ledger that is gone")
    assert rebuild(octavo, data.path).exit_code == 0
    assert not log.exists()
    (aside,) = data.path.glob("ledger.duckdb.OLD-*.wal")
    assert aside.read_bytes() == b"of a ledger that is gone"
    data.reopened().ledger.close()


def test_what_an_interrupted_rebuild_has_left_is_no_hindrance(octavo: Octavo, data: Data) -> None:
    data.lose()
    (data.path / "ledger.duckdb.new").write_bytes(b"half a ledger")
    (data.path / "ledger.duckdb.new.wal").write_bytes(b"half a log")
    assert rebuild(octavo, data.path).exit_code == 0
    data.reopened().ledger.close()


def test_damage_is_told_and_ends_with_exit_code_3(octavo: Octavo, data: Data) -> None:
    data.lose()
    manifest = data.directory.objects / "octavo" / keys.manifest_key(data.batch.batch_id)
    manifest.write_bytes(manifest.read_bytes()[:100])
    found = rebuild(octavo, data.path)
    assert found.exit_code == 3
    assert f"{keys.manifest_key(data.batch.batch_id)} cannot be read" in found.stderr


def test_a_running_stack_is_left_alone(octavo: Octavo, data: Data) -> None:
    with DirectoryLock(data.directory):
        assert "Another `octavo up` is running" in refused(rebuild(octavo, data.path))


def test_up_does_not_begin_anew_beside_an_archive(octavo: Octavo, data: Data) -> None:
    data.lose()
    told = refused(octavo("up", "--data", data.path, "--port", free_port()), exit_code=78)
    assert f"octavo ledger rebuild --data {data.path}" in told
    assert not data.directory.ledger.exists()


def test_up_starts_nothing_on_a_ledger_that_was_cut_off_and_names_the_command_that_restores_it(
    octavo: Octavo, data: Data
) -> None:
    ledger = data.directory.ledger
    ledger.write_bytes(ledger.read_bytes()[: ledger.stat().st_size // 2])
    found = octavo("up", "--data", data.path, "--port", free_port())
    told = refused(found, exit_code=78)
    assert "is damaged" in told
    command = told.split("octavo ledger ", 1)[1].split()
    assert "starting" not in found.stderr
    assert "Traceback" not in found.stderr
    assert octavo("ledger", *command).exit_code == 0
    data.reopened().ledger.close()


def test_the_api_alone_ends_with_one_line_on_a_ledger_that_was_cut_off(data: Data) -> None:
    data.directory.ledger.write_bytes(data.directory.ledger.read_bytes()[:5000])
    environment = dict(os.environ) | {"OCTAVO_DATA": str(data.path)}
    ended = subprocess.run(
        [sys.executable, "-m", "api"], env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert ended.returncode == 78
    assert [line for line in ended.stderr.splitlines() if "octavo ledger rebuild --force" in line]
    assert "Traceback" not in ended.stderr


def test_up_starts_nothing_on_a_ledger_of_a_newer_version(octavo: Octavo, data: Data) -> None:
    with duckdb.connect(data.directory.ledger) as newer:
        newer.execute("INSERT INTO schema_migrations VALUES (999, 'from_the_future', now())")
    told = refused(octavo("up", "--data", data.path, "--port", free_port()), exit_code=78)
    assert "newer Octavo (schema 999" in told


def test_an_archive_of_another_version_is_told(octavo: Octavo, data: Data) -> None:
    data.lose()
    (data.directory.objects / "octavo" / keys.ARCHIVE_IDENTITY).write_text('{"format": 7}')
    assert "The archive has format 7, but this version reads 1" in refused(rebuild(octavo, data.path))
    assert not data.directory.ledger.exists()


def test_no_archive_is_told(octavo: Octavo, tmp_path: Path) -> None:
    assert "holds no archive of a ledger in the bucket octavo" in refused(rebuild(octavo, tmp_path / "new"))


def test_storage_elsewhere_that_does_not_answer_is_told_and_changes_nothing(octavo: Octavo, data: Data) -> None:
    elsewhere = {
        "OCTAVO_STORAGE__ENDPOINT_URL": f"http://127.0.0.1:{free_port()}",
        "OCTAVO_STORAGE__ACCESS_KEY": "access",
        "OCTAVO_STORAGE__SECRET_KEY": "secret",
    }
    before = data.directory.ledger.read_bytes()
    assert "Storage gave an unexpected answer" in refused(rebuild(octavo, data.path, "--force", **elsewhere))
    assert data.directory.ledger.read_bytes() == before
    del elsewhere["OCTAVO_STORAGE__SECRET_KEY"]
    assert "OCTAVO_STORAGE__SECRET_KEY" in refused(rebuild(octavo, data.path, "--force", **elsewhere))
