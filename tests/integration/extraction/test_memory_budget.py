"""Documents are read at the same time only as far as what their engines need fits into the worker's memory."""

import os
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from octavo.engines.contract import Limits
from octavo.engines.registry import EngineRegistry
from octavo.engines.sandbox.pool import ChildPool, PoolSize

MEBI = 1024**2
SOON = 45.0


@pytest.fixture
def pool() -> Iterator[ChildPool]:
    found = ChildPool(PoolSize(processes=3, memory_bytes=1000 * MEBI), limits=Limits(), registry=EngineRegistry({}))
    yield found
    found.close()


def test_a_child_gives_way_to_everything_else_on_the_machine(pool: ChildPool) -> None:
    mine = os.getpriority(os.PRIO_PROCESS, 0)
    with pool.child() as child:
        assert os.getpriority(os.PRIO_PROCESS, child.pid) == min(mine + 10, 19)


class Readers:
    """Documents in work, each in a thread, each until it is told to end."""

    def __init__(self, pool: ChildPool) -> None:
        self._pool = pool
        self._threads = ThreadPoolExecutor(32)

    def read(
        self, mebibytes: int, *, customer: str | None = None, is_apart: bool = False
    ) -> tuple[threading.Event, threading.Event, "Future[None]"]:
        """Begin to read a document; returns what is set once a child has it, and what ends it."""
        begun, end = threading.Event(), threading.Event()

        def work() -> None:
            with self._pool.child(customer, memory_bytes=mebibytes * MEBI, is_apart=is_apart):
                begun.set()
                assert end.wait(SOON)

        return begun, end, self._threads.submit(work)


def test_a_document_waits_until_there_is_room_for_what_its_engine_needs(pool: ChildPool) -> None:
    readers = Readers(pool)
    first, end_first, one = readers.read(600)
    assert first.wait(SOON)
    second, end_second, two = readers.read(600)
    third, end_third, three = readers.read(300)
    assert third.wait(SOON), "what fits does not wait for what does not"
    assert not second.is_set()
    end_first.set()
    assert second.wait(SOON)
    for end in (end_second, end_third):
        end.set()
    for done in (one, two, three):
        done.result(SOON)


def test_a_document_that_needs_more_than_there_is_is_read_alone(pool: ChildPool) -> None:
    readers = Readers(pool)
    huge, end_huge, one = readers.read(5000)
    assert huge.wait(SOON)
    small, end_small, two = readers.read(1)
    assert not small.wait(0.2)
    end_huge.set()
    assert small.wait(SOON)
    end_small.set()
    one.result(SOON)
    two.result(SOON)


def test_a_document_that_is_read_apart_waits_for_nothing_but_its_memory_counts(pool: ChildPool) -> None:
    readers = Readers(pool)
    first, end_first, one = readers.read(300)
    assert first.wait(SOON)
    apart, end_apart, two = readers.read(800, is_apart=True)
    assert apart.wait(SOON), "it waits for nothing"
    second, end_second, three = readers.read(300)
    assert not second.wait(0.2)
    end_apart.set()
    assert second.wait(SOON)
    for end in (end_first, end_second):
        end.set()
    for done in (one, two, three):
        done.result(SOON)
