"""The loop of a worker's threads: errors are retried with a back-off, bugs end nothing, draining ends it."""

import threading
from collections.abc import Iterator

import pytest

from octavo.errors import ServiceUnreachable
from octavo.worker import work_loop
from octavo.worker.work_loop import WorkLoop
from tests.unit.api.serving import until


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work_loop, "PAUSE_SECONDS", 0.01)


def test_what_is_asked_for_is_done_and_an_empty_answer_is_asked_again() -> None:
    answers: Iterator[str | None] = iter(["one", None, "two"])
    done: list[str] = []

    def do(work: str) -> None:
        done.append(work)
        if work == "two":
            loop.drain()

    loop = WorkLoop("test", lambda: next(answers), do)
    loop.run()
    assert done == ["one", "two"]


def test_trouble_with_the_api_and_defects_end_nothing(caplog: pytest.LogCaptureFixture) -> None:
    troubles: Iterator[Exception] = iter([ServiceUnreachable("away"), ValueError("a defect")])
    done: list[str] = []

    def do(work: str) -> None:
        done.append(work)
        if (trouble := next(troubles, None)) is not None:
            raise trouble
        loop.drain()

    loop = WorkLoop("test", lambda: "work", do)
    loop.run()
    assert done == ["work"] * 3
    assert "trouble with the API: away" in caplog.text
    assert "a defect in one piece of work" in caplog.text


def test_a_loop_that_drains_asks_for_nothing_more_and_finishes_what_it_has() -> None:
    begun, go, done = threading.Event(), threading.Event(), threading.Event()

    def do(_: str) -> None:
        begun.set()
        assert go.wait(60)
        done.set()

    loop = WorkLoop("drained", lambda: "work", do)
    loop.start(1)
    assert begun.wait(60)
    loop.drain()
    go.set()
    assert done.wait(60)
    until(
        lambda: not [one for one in threading.enumerate() if one.name.startswith("octavo-drained")], "its thread ends"
    )
