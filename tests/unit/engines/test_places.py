"""Threads that wait for a place: each gets its turn, none is forgotten, none is woken for another's."""

import random
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from octavo.engines.sandbox.failures import ChildLost
from octavo.engines.sandbox.place_queue import PlaceQueue
from octavo.engines.sandbox.places import Places
from tests.unit.api.serving import until

SOON = 30.0


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(32) as made:
        yield made


def test_no_wake_up_is_lost_whoever_comes_and_goes(threads: ThreadPoolExecutor) -> None:
    places = Places(PlaceQueue(places=2, newcomer_places=1, memory_bytes=10))
    inside, most, lock = 0, 0, threading.Lock()

    def read(number: int) -> None:
        nonlocal inside, most
        of = random.Random(number)
        with places.place(of.choice("abcde"), of.randint(0, 12), is_apart=False):
            with lock:
                inside += 1
                most = max(most, inside)
            with lock:
                inside -= 1

    for done in [threads.submit(read, number) for number in range(2000)]:
        done.result(SOON)
    assert most <= 3


@pytest.mark.parametrize(("turn_seconds", "order"), [(60.0, ["a", "b"]), (0.0, ["b", "a"])])
def test_short_documents_of_a_customer_share_a_turn(
    threads: ThreadPoolExecutor, turn_seconds: float, order: list[str]
) -> None:
    places = Places(PlaceQueue(places=1), turn_seconds=turn_seconds)
    seen: list[str] = []

    def read(customer: str) -> None:
        with places.place(customer, 0):
            seen.append(customer)

    waiting = []
    with places.place("a", 0):
        waiting.append(threads.submit(read, "b"))
        until(lambda: places.waiting == 1, "one that waits")
        waiting.append(threads.submit(read, "a"))
        until(lambda: places.waiting == 2, "two that wait")
    for one in waiting:
        one.result(SOON)
    assert seen == order


def test_all_who_wait_hear_of_the_end(threads: ThreadPoolExecutor) -> None:
    places = Places(PlaceQueue(places=1))
    with places.place("a", 0):
        waiting: list[Future[None]] = [threads.submit(_pass_through, places, customer) for customer in "bcd"]
        until(lambda: places.waiting == 3, "three that wait")
        places.close()
        for one in waiting:
            with pytest.raises(ChildLost, match="closed"):
                one.result(SOON)
    with pytest.raises(ChildLost, match="closed"):
        _pass_through(places, "late")


def test_what_is_apart_does_not_wait(threads: ThreadPoolExecutor) -> None:
    places = Places(PlaceQueue(places=1, memory_bytes=10))
    with places.place("a", 10), places.place("a", 10, is_apart=True):
        queued = threads.submit(_pass_through, places, "b")
        assert not queued.done()
    queued.result(SOON)


def _pass_through(places: Places, customer: str) -> None:
    with places.place(customer, 1):
        pass
