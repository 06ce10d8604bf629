"""A whole family of processes: a real parent, real children, signals."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from octavo.supervisor import leftovers
from tests.unit.supervisor.conditions import LIMIT_SECONDS, is_running, read_pid, wait_until

TRAP = 'trap "echo {name} >> $FOLDER/ended; exit 0" TERM; echo $$ > $FOLDER/{name}; while :; do sleep 0.02 & wait; done'
STUBBORN = 'trap "" TERM; sleep 60 & echo $! > $FOLDER/grandchild; echo $$ > $FOLDER/{name}; wait; wait'


class Family:
    """A supervisor's process and where its children write."""

    def __init__(self, folder: Path, process: subprocess.Popen[str]) -> None:
        self.folder = folder
        self.process = process

    def pid(self, name: str) -> int:
        return read_pid(self.folder / name)

    def end(self, number: signal.Signals) -> list[str]:
        """Send the parent a signal, wait for its end, return what it told."""
        self.process.send_signal(number)
        told, _ = self.process.communicate(timeout=LIMIT_SECONDS)
        return told.splitlines()


@contextlib.contextmanager
def family(folder: Path, *specs: dict[str, object]) -> Iterator[Family]:
    (folder / "specs.json").write_text(json.dumps(specs))
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.unit.supervisor.parent", str(folder)],
        env=dict(os.environ) | {"FOLDER": str(folder)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            yield Family(folder, process)
        finally:
            process.kill()


def child(name: str, script: str, **more: object) -> dict[str, object]:
    return {"name": name, "command": ["sh", "-c", script.format(name=name)], **more}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_all_children_in_reverse_order(tmp_path: Path, number: signal.Signals) -> None:
    names = ["storage", "api", "worker"]
    with family(tmp_path, *(child(name, TRAP) for name in names)) as found:
        pids = [found.pid(name) for name in names]
        told = found.end(number)
    assert (tmp_path / "ended").read_text().split() == ["worker", "api", "storage"]
    assert [line for line in told if line.endswith("stopped")] == ["worker stopped", "api stopped", "storage stopped"]
    assert found.process.returncode == 0
    assert not any(is_running(pid) for pid in pids)


def test_neighbours_that_stop_with_each_other_are_asked_at_the_same_time(tmp_path: Path) -> None:
    # Each ends only when it sees that the other one was asked, too.
    script = (
        "trap 'touch $FOLDER/asked-{name}; until test -e $FOLDER/asked-one -a -e $FOLDER/asked-two; "
        "do sleep 0.02; done; exit 0' TERM; echo $$ > $FOLDER/{name}; while :; do sleep 0.02 & wait; done"
    )
    both = [child(name, script, stop_seconds=10, stops_with="worker") for name in ("one", "two")]
    with family(tmp_path, *both) as found:
        for name in ("one", "two"):
            found.pid(name)
        told = found.end(signal.SIGTERM)
    assert sorted(told[-2:]) == ["one stopped", "two stopped"]


def test_a_stubborn_child_holds_up_the_others_no_longer_than_its_time(tmp_path: Path) -> None:
    with family(tmp_path, child("storage", TRAP), child("worker", STUBBORN, stop_seconds=0.2)) as found:
        pids = [found.pid(name) for name in ("storage", "worker", "grandchild")]
        told = found.end(signal.SIGTERM)
    assert told[-4:] == [
        "octavo stopping: what has begun is finished first; Ctrl-C again stops at once",
        "worker did not stop within 0 s; killing it",
        "worker stopped",
        "storage stopped",
    ]
    assert not any(is_running(pid) for pid in pids)


def test_a_second_signal_kills_everything_at_once(tmp_path: Path) -> None:
    with family(tmp_path, child("storage", TRAP), child("worker", STUBBORN, stop_seconds=600)) as found:
        pids = [found.pid(name) for name in ("storage", "worker", "grandchild")]
        found.process.send_signal(signal.SIGTERM)
        assert found.process.stdout is not None
        while "stopping" not in found.process.stdout.readline():
            pass
        found.end(signal.SIGTERM)
    assert not any(is_running(pid) for pid in pids)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the next start ends what was left over")
def test_children_die_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    with family(tmp_path, child("storage", TRAP), child("worker", STUBBORN)) as found:
        pids = [found.pid(name) for name in ("storage", "worker")]
        found.end(signal.SIGKILL)
        wait_until(lambda: not any(is_running(pid) for pid in pids), what="the children's death")
    assert not (tmp_path / "ended").exists()  # they were killed, not asked
    os.kill(found.pid("grandchild"), signal.SIGKILL)


def test_the_living_children_are_noted_for_the_next_start(tmp_path: Path) -> None:
    with family(tmp_path, child("storage", TRAP), child("worker", TRAP)) as found:
        pids = {str(found.pid(name)) for name in ("storage", "worker")}
        noted = tmp_path / "children.json"
        # A child may have said its pid before its parent has noted it.
        wait_until(lambda: noted.exists() and set(json.loads(noted.read_text())) == pids, what="both noted")
        found.end(signal.SIGTERM)
    assert json.loads((tmp_path / "children.json").read_text()) == {}


@contextlib.contextmanager
def stranger(script: str = "sleep 60 & wait") -> Iterator[subprocess.Popen[bytes]]:
    """Run a process in a group of its own, as a killed stack would leave it behind."""
    with subprocess.Popen(["sh", "-c", script], start_new_session=True) as process:
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def test_leftovers_of_a_killed_stack_are_ended_with_their_groups(tmp_path: Path) -> None:
    script = f"sleep 60 & echo $! > {tmp_path}/grandchild; wait"
    with stranger(script) as process:
        grandchild = read_pid(tmp_path / "grandchild")
        leftovers.note(tmp_path / "children.json", [process.pid])
        assert leftovers.end(tmp_path / "children.json") == [process.pid]
        assert process.wait(LIMIT_SECONDS) == -signal.SIGKILL
        wait_until(lambda: not is_running(grandchild), what="the grandchild's death")


def earlier(began: str) -> str:
    boot, ticks = began.split()
    return f"{boot} {int(ticks) - 1}"


def test_a_stranger_that_has_got_the_pid_of_an_old_child_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "children.json"
    with stranger() as process:
        leftovers.note(file, [process.pid])
        noted = json.loads(file.read_text())
        # The old child had this pid, but began at another time.
        file.write_text(json.dumps({pid: earlier(began) for pid, began in noted.items()}))
        assert leftovers.end(file) == []
        assert process.poll() is None


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"12": 3}', '{"twelve": "3"}', '{"1": ""}'])
def test_notes_that_cannot_be_read_end_nobody(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "children.json").write_text(text)
    assert leftovers.end(tmp_path / "children.json") == []


def test_a_process_that_has_gone_is_no_leftover(tmp_path: Path) -> None:
    with stranger("exit 0") as process:
        leftovers.note(tmp_path / "children.json", [process.pid])
        process.wait(LIMIT_SECONDS)
        assert leftovers.end(tmp_path / "children.json") == []


def test_a_child_that_cannot_go_on_is_not_started_again_and_ends_the_others(tmp_path: Path) -> None:
    gives_up = "echo $$ >> $FOLDER/starts; echo 'The ledger is damaged.'; exit 78"
    with family(tmp_path, child("storage", TRAP), child("api", gives_up)) as found:
        told, _ = found.process.communicate(timeout=60)
    assert len((tmp_path / "starts").read_text().split()) == 1
    assert "octavo cannot go on without api: The ledger is damaged." in told
    assert found.process.returncode == 0
    assert json.loads((tmp_path / "children.json").read_text()) == {}
