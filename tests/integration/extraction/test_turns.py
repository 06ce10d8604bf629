"""Whose document gets the next child: customers take turns, however many documents one of them brings."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from octavo.engines.contract import Limits
from octavo.engines.registry import EngineRegistry
from octavo.engines.sandbox.pool import ChildPool, PoolSize
from tests.integration.extraction.test_memory_budget import SOON, Readers
from tests.unit.api.serving import until


@contextmanager
def readers(*, newcomer_processes: int) -> Iterator[Readers]:
    size = PoolSize(processes=2, newcomer_processes=newcomer_processes)
    pool = ChildPool(size, limits=Limits(), registry=EngineRegistry({}))
    with ExitStack() as at_end:
        at_end.callback(pool.close)
        yield Readers(pool)


def test_the_next_child_is_for_who_has_none_and_not_for_who_brought_the_most() -> None:
    with readers(newcomer_processes=0) as made:
        slow = [made.read(0, customer="many") for _ in range(24)]
        until(lambda: sum(begun.is_set() for begun, _, _ in slow) == 2, "two of many documents are read")
        begun, end, done = made.read(0, customer="newcomer")
        next(end for begun, end, _ in slow if begun.is_set()).set()
        assert begun.wait(SOON)
        assert sum(begun.is_set() for begun, _, _ in slow) == 2, "nobody else came first"
        for one in (end, *(end for _, end, _ in slow)):
            one.set()
        for future in (done, *(future for _, _, future in slow)):
            future.result(SOON)


def test_a_newcomer_does_not_wait_for_the_slow_documents_of_another() -> None:
    with readers(newcomer_processes=1) as made:
        slow = [made.read(0, customer="many") for _ in range(24)]
        until(lambda: sum(begun.is_set() for begun, _, _ in slow) == 2, "two of many documents are read")
        for _ in range(3):
            begun, end, done = made.read(0, customer="newcomer")
            assert begun.wait(SOON)
            end.set()
            done.result(SOON)
        assert sum(begun.is_set() for begun, _, _ in slow) == 2, "the place for newcomers is not for others"
        for _, end, _ in slow:
            end.set()
        for _, _, future in slow:
            future.result(SOON)
