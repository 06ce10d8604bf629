"""One supervised process, with real processes that are small."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from octavo.objects import embedded
from octavo.supervisor.child import Child, ChildSpec, Patience
from tests.unit.supervisor.conditions import LIMIT_SECONDS, is_running, read_pid, until, wait_until

QUICK = Patience(first_pause=0.01, longest_pause=0.04, healthy_after=60.0, probe=0.01, trim=0.01)


async def at_once() -> bool:
    return True


class Teller:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, name: str, what: str) -> None:
        self.lines.append(f"{name} {what}")


def shell(
    folder: Path,
    script: str,
    *,
    stop_seconds: float = 5.0,
    ready: Callable[[], Awaitable[bool]] = at_once,
    scratch: Path | None = None,
) -> ChildSpec:
    return ChildSpec(
        name="part",
        command=("sh", "-c", script),
        environment={"PATH": os.environ["PATH"], "FOLDER": str(folder)},
        log=folder / "logs" / "part.log",
        ready=ready,
        stop_seconds=stop_seconds,
        scratch=scratch,
    )


def test_noise_is_left_out_of_the_log_and_nothing_else_is(tmp_path: Path) -> None:
    script = 'echo one; echo "ERROR : a/b/: Dir.Remove not empty" >&2; echo two; printf three; exec sleep 60'
    spec = replace(shell(tmp_path, script), noise=embedded.NOISE)
    keep_until(spec, lambda _: spec.log.exists() and spec.log.read_bytes() == b"one\ntwo\n")
    assert spec.log.read_bytes() == b"one\ntwo\nthree"


def test_a_line_longer_than_any_buffer_is_kept(tmp_path: Path) -> None:
    script = "head -c 300000 /dev/zero | tr '\\0' x; echo; echo end; exec sleep 60"
    spec = replace(shell(tmp_path, script), noise=embedded.NOISE)
    keep_until(spec, lambda _: spec.log.exists() and spec.log.read_bytes().endswith(b"end\n"))
    assert len(spec.log.read_bytes()) == 300_001 + 4


def keep_until(
    spec: ChildSpec, condition: Callable[[Child], object], *, patience: Patience = QUICK, tell: Teller | None = None
) -> Teller:
    """Keep a child until the condition holds, then stop it; returns what was told."""
    tell = tell or Teller()

    async def run() -> None:
        child = Child(spec, tell, patience=patience)
        keeper = asyncio.create_task(child.keep())
        try:
            await until(lambda: condition(child))
        finally:
            await child.stop()
            await asyncio.wait_for(keeper, LIMIT_SECONDS)

    asyncio.run(run())
    return tell


def lines_of(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


def test_pauses_double_up_to_five_seconds_and_no_further() -> None:
    pauses: list[float] = []
    last: float | None = None
    for _ in range(10):
        last = Patience().pause(last, lived=0.0)
        pauses.append(last)
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0, 5.0]


def test_a_child_that_lived_well_begins_with_the_first_pause_again() -> None:
    assert Patience().pause(5.0, lived=9.9) == 5.0
    assert Patience().pause(5.0, lived=10.0) == 0.1


def test_a_child_that_dies_is_started_again_and_never_given_up(tmp_path: Path) -> None:
    lives = tmp_path / "lives"
    told = keep_until(shell(tmp_path, 'echo life >> "$FOLDER/lives"; exit 3'), lambda _: len(lines_of(lives)) >= 12)
    endings = [line for line in told.lines if "ended (exit code 3); restarting in" in line]
    assert len(endings) >= 11


def test_a_killed_child_is_told_with_its_signal(tmp_path: Path) -> None:
    lives = tmp_path / "lives"
    told = keep_until(
        shell(tmp_path, 'echo life >> "$FOLDER/lives"; kill -KILL $$'), lambda _: len(lines_of(lives)) >= 2
    )
    assert any("ended (signal SIGKILL); restarting in 0.0 s, see" in line for line in told.lines)


def test_a_command_that_cannot_be_started_is_tried_again_and_told_in_one_line(tmp_path: Path) -> None:
    spec = ChildSpec(name="part", command=(str(tmp_path / "no"),), environment={}, log=tmp_path / "log", ready=at_once)
    tell = Teller()
    keep_until(spec, lambda _: len(tell.lines) >= 5, tell=tell)
    assert "part cannot be started (No such file or directory); restarting in 0.0 s" in tell.lines[1]
    assert all("\n" not in line for line in tell.lines)


def test_every_state_change_is_one_line(tmp_path: Path) -> None:
    tell = Teller()
    keep_until(shell(tmp_path, "exec sleep 60"), lambda _: len(tell.lines) == 2, tell=tell)
    assert [line.partition(" after")[0] for line in tell.lines] == ["part starting", "part ready", "part stopped"]


def test_ready_is_told_when_the_probe_says_so_and_not_before(tmp_path: Path) -> None:
    asked: list[bool] = []

    async def third_time() -> bool:
        asked.append(len(asked) >= 2)
        return asked[-1]

    tell = Teller()
    keep_until(shell(tmp_path, "exec sleep 60", ready=third_time), lambda _: len(tell.lines) == 2, tell=tell)
    assert asked == [False, False, True]


def test_a_child_that_ignores_sigterm_is_killed_with_its_whole_group(tmp_path: Path) -> None:
    script = 'trap "" TERM; sleep 60 & echo $! > "$FOLDER/grandchild"; echo $$ > "$FOLDER/child"; wait; wait'
    told = keep_until(shell(tmp_path, script, stop_seconds=0.2), lambda _: lines_of(tmp_path / "child"))
    assert "part did not stop within 0 s; killing it" in told.lines
    assert told.lines[-1] == "part stopped"
    # A signal that was sent is not yet an end on a busy machine.
    wait_until(lambda: not is_running(read_pid(tmp_path / "child")), what="the end of the child")
    wait_until(lambda: not is_running(read_pid(tmp_path / "grandchild")), what="the end of the grandchild")


def test_what_a_dead_child_has_left_in_its_group_is_gone_before_the_next_life(tmp_path: Path) -> None:
    script = 'sleep 60 & echo $! >> "$FOLDER/grandchildren"; exit 1'
    keep_until(shell(tmp_path, script), lambda _: len(lines_of(tmp_path / "grandchildren")) >= 3)
    grandchildren = [int(pid) for pid in lines_of(tmp_path / "grandchildren")]
    # A signal that was sent is not yet an end on a busy machine.
    wait_until(lambda: not any(map(is_running, grandchildren)), what="the end of what was left")


def test_a_stop_while_the_next_start_is_awaited_ends_the_keeper_at_once(tmp_path: Path) -> None:
    patient = Patience(first_pause=600.0, longest_pause=600.0, probe=0.01)
    tell = Teller()
    keep_until(shell(tmp_path, "exit 1"), lambda _: len(tell.lines) >= 3, patience=patient, tell=tell)
    assert "restarting in 600.0 s" in tell.lines[-1]


def test_a_child_that_comes_to_life_while_it_is_stopped_does_not_survive(tmp_path: Path) -> None:
    async def run() -> None:
        child = Child(shell(tmp_path, 'echo $$ > "$FOLDER/child"; exec sleep 60'), Teller(), patience=QUICK)
        keeper = asyncio.create_task(child.keep())
        await asyncio.sleep(0)  # the keeper is now inside the start
        await child.stop()
        await asyncio.wait_for(keeper, LIMIT_SECONDS)
        assert child.pid is None

    asyncio.run(run())
    assert not (tmp_path / "child").exists() or not is_running(int((tmp_path / "child").read_text() or "0"))


def test_logs_are_appended_to_over_lives(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "part.log"
    log.parent.mkdir()
    log.write_text("an earlier stack\n")
    keep_until(shell(tmp_path, "echo out; echo err >&2"), lambda _: len(lines_of(log)) >= 5)
    assert lines_of(log)[:5] == ["an earlier stack", "out", "err", "out", "err"]


def test_a_long_log_is_trimmed_under_a_child_that_goes_on_writing(tmp_path: Path) -> None:
    log, old = tmp_path / "logs" / "part.log", tmp_path / "logs" / "part.log.1"
    short = Patience(probe=0.01, trim=0.01, log_bytes=2000)
    script = "i=0; while :; do i=$((i+1)); echo line $i; [ $((i % 20)) = 0 ] && sleep 0.01; done"
    keep_until(shell(tmp_path, script), lambda _: old.exists() and lines_of(log), patience=short)
    assert old.stat().st_size <= 2000
    assert lines_of(log)[0].startswith("line ")  # no hole of null bytes where the cut was


def test_the_log_of_a_child_that_is_never_ready_is_trimmed_too(tmp_path: Path) -> None:
    log, old = tmp_path / "logs" / "part.log", tmp_path / "logs" / "part.log.1"
    short = Patience(first_pause=0.01, longest_pause=0.01, probe=0.01, trim=0.01, log_bytes=2000)

    async def never() -> bool:
        return False

    # It dies again and again with a traceback.
    script = "for i in 1 2 3 4 5 6 7 8 9; do echo a line of a traceback that is not so short; done; exit 1"
    keep_until(shell(tmp_path, script, ready=never), lambda _: old.exists() and lines_of(log), patience=short)
    assert old.stat().st_size <= 2000
    assert log.stat().st_size < 4000


def test_a_removed_log_does_not_end_the_watch(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "part.log"
    tell = Teller()

    def removed(child: Child) -> bool:
        if log.exists() and len(tell.lines) >= 2:
            log.unlink()
        return not log.exists() and child.pid is not None

    keep_until(shell(tmp_path, "exec sleep 60"), removed, tell=tell)
    assert tell.lines[-1] == "part stopped"


def test_scratch_of_a_killed_life_is_emptied_before_the_next(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    script = (
        'ls "$FOLDER/scratch" | wc -l >> "$FOLDER/found"; mkdir "$FOLDER/scratch/item-$$"; '
        'touch "$FOLDER/scratch/item-$$/input"; kill -KILL $$'
    )
    found = tmp_path / "found"
    keep_until(shell(tmp_path, script, scratch=scratch), lambda _: len(lines_of(found)) >= 3)
    assert {line.strip() for line in lines_of(found)} == {"0"}
    assert scratch.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_children_take_signals_even_if_the_parent_was_told_to_ignore_them(
    tmp_path: Path, number: signal.Signals
) -> None:
    # A shell's `&` starts its program with SIGINT ignored, which exec would pass on.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    tell = Teller()
    struck_pids: list[int] = []

    def struck(child: Child) -> bool:
        # Once: it may be gone for a while before its end is told.
        if child.pid is not None and len(tell.lines) == 2 and not struck_pids:
            struck_pids.append(child.pid)
            os.kill(child.pid, number)
        return len(tell.lines) > 2

    try:
        keep_until(shell(tmp_path, "exec sleep 60"), struck, tell=tell)
    finally:
        signal.signal(signal.SIGINT, before)
    assert f"ended (signal {number.name})" in tell.lines[2]


def test_what_a_life_has_left_elsewhere_is_taken_away_before_the_next(tmp_path: Path) -> None:
    left = tmp_path / "left"
    cleared: list[bool] = []

    def clear() -> None:
        cleared.append(left.exists())
        left.unlink(missing_ok=True)

    spec = replace(shell(tmp_path, f'test ! -e "{left}" && touch "{left}"'), clear=clear)
    told = keep_until(spec, lambda _: len(cleared) >= 4)
    assert cleared[:4] == [False, True, True, True]
    assert all("exit code 0" in line for line in told.lines if "ended" in line)
