"""Reports are sent together if they may wait, and at once if they may not."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from octavo.client.outbox import Outbox
from octavo.errors import ServiceUnreachable
from octavo.identifiers import ItemId
from octavo.ledger.contract import Report, ReportKind, ReportResult
from tests.unit.api.serving import until

LIMIT = 10.0


class Post:
    """Receives what is sent; may be held back, may fail."""

    def __init__(self) -> None:
        self.letters: list[list[str]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.trouble: Exception | None = None

    def send(self, reports: Sequence[Report]) -> list[ReportResult]:
        self.letters.append([report.item_id for report in reports])
        assert self.gate.wait(LIMIT)
        if self.trouble is not None:
            raise self.trouble
        return [ReportResult(report.item_id, report.lease_no > 0, None, False) for report in reports]


def report(name: str, lease_no: int = 1) -> Report:
    return Report(kind=ReportKind.BEGIN, item_id=ItemId(name), lease_no=lease_no)


def test_an_urgent_report_is_sent_without_waiting_for_the_rest() -> None:
    post = Post()
    outbox = Outbox(post.send, wait_seconds=3600)
    assert outbox.put(report("a")).result(LIMIT)
    outbox.close()


def test_reports_that_may_wait_go_with_the_next_urgent_one_in_their_order() -> None:
    post = Post()
    outbox = Outbox(post.send, wait_seconds=3600)
    waiting = [outbox.put(report(name), is_urgent=False) for name in "ab"]
    assert outbox.put(report("c")).result(LIMIT)
    assert all(answer.result(LIMIT) for answer in waiting)
    assert post.letters == [["a", "b", "c"]]
    outbox.close()


def test_reports_that_may_wait_do_so_for_a_limited_time() -> None:
    outbox = Outbox(Post().send, wait_seconds=0.01)
    assert outbox.put(report("a"), is_urgent=False).result(LIMIT)
    outbox.close()


def test_what_arrives_while_a_letter_is_under_way_goes_together_in_the_next() -> None:
    post = Post()
    post.gate.clear()
    outbox = Outbox(post.send, wait_seconds=3600)
    answers = [outbox.put(report("first"))]
    while not post.letters:
        threading.Event().wait(0.001)
    answers += [outbox.put(report(name)) for name in "abc"]
    post.gate.set()
    assert all(answer.result(LIMIT) for answer in answers)
    assert post.letters == [["first"], ["a", "b", "c"]]
    outbox.close()


def test_a_refusal_reaches_the_one_who_reported() -> None:
    outbox = Outbox(Post().send)
    assert outbox.put(report("late", lease_no=0)).result(LIMIT) is False
    outbox.close()


def test_trouble_of_sending_reaches_everybody_and_the_next_letter_goes_out() -> None:
    post = Post()
    post.trouble = ServiceUnreachable("away")
    outbox = Outbox(post.send)
    with pytest.raises(ServiceUnreachable):
        outbox.put(report("a")).result(LIMIT)
    post.trouble = None
    assert outbox.put(report("b")).result(LIMIT)
    outbox.close()


def test_what_still_waits_is_sent_when_the_outbox_is_closed() -> None:
    outbox = Outbox(Post().send, wait_seconds=3600)
    answer = outbox.put(report("a"), is_urgent=False)
    outbox.close()
    assert answer.result(LIMIT)


def test_what_is_said_after_the_end_is_refused_and_not_waited_for() -> None:
    post = Post()
    outbox = Outbox(post.send)
    outbox.close()
    with pytest.raises(ServiceUnreachable):
        outbox.put(report("late")).result(LIMIT)
    assert post.letters == []


def test_whoever_reports_waits_while_an_api_that_does_not_answer_has_filled_the_box() -> None:
    post = Post()
    post.gate.clear()
    outbox = Outbox(post.send, most_waiting=2)
    answers = [outbox.put(report("under way"))]
    until(lambda: bool(post.letters), "the first letter is under way")
    answers += [outbox.put(report(name)) for name in "ab"]
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(outbox.put, report("c"))
        until(lambda: bool(pool._work_queue.empty()), "the third one is being put")
        assert [letter for letter in post.letters if "c" in letter] == []
        assert not late.done()
        assert len(outbox._waiting) == 2
        post.gate.set()
        answers.append(late.result(LIMIT))
    assert all(answer.result(LIMIT) for answer in answers)
    assert post.letters[1] == ["a", "b"]
    outbox.close()
