"""What a child has read, no other customer's document meets."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from octavo.engines.contract import Limits, Source
from octavo.engines.registry import EngineRegistry
from octavo.engines.sandbox.pool import ChildPool, PoolSize
from octavo.extraction.extractor import Extractor
from octavo.parse_options import ParseOptions
from tests.engines_bad.engines import REFERENCES
from tests.engines_bad.test_misbehaviour import processes_in, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox is complete on Linux only")
REGISTRY = EngineRegistry(REFERENCES)


@pytest.fixture(scope="module")
def extractor() -> Iterator[Extractor]:
    with Extractor(processes=2, limits=Limits(), registry=REGISTRY) as made:
        yield made


@dataclass
class Reader:
    """Reads texts for customers; returns the child that did it, and all texts that it knows."""

    extractor: Extractor
    path: Path

    def read(self, text: str, customer: str | None, *, is_apart: bool = False) -> tuple[str, list[str]]:
        self.path.write_text(text)
        options = ParseOptions(engine="remembering")
        found = self.extractor.extract(Source(self.path), options, customer=customer, is_apart=is_apart)
        pid, *known = [block.text for block in found.document.blocks]
        return pid, known


@pytest.fixture
def reader(extractor: Extractor, tmp_path: Path) -> Reader:
    return Reader(extractor, tmp_path / "document")


def test_what_one_customer_s_document_left_in_a_child_no_other_customer_sees(reader: Reader) -> None:
    for customer in ("first", "second", "third", None):
        _, known = reader.read(f"a secret of {customer}", customer)
        assert known == [f"a secret of {customer}"]


def test_a_sync_extraction_meets_no_other_customer_s_bytes(reader: Reader) -> None:
    reader.read("a secret", "fourth")
    assert reader.read("a call", "fifth", is_apart=True)[1] == ["a call"]
    assert reader.read("a document", "sixth")[1] == ["a document"]


def test_documents_of_one_customer_are_read_by_one_child(reader: Reader) -> None:
    first, _ = reader.read("one", "seventh")
    reader.read("another's", "eighth")
    second, known = reader.read("two", "seventh")
    assert (second, known) == (first, ["one", "two"])


def test_a_child_can_be_had_for_every_document_alone(tmp_path: Path) -> None:
    with Extractor(processes=1, limits=Limits(), registry=REGISTRY, child_scope="document") as extractor:
        extractor.warm_up()
        reader = Reader(extractor, tmp_path / "document")
        assert [reader.read(text, "only")[1] for text in ("one", "two")] == [["one"], ["two"]]
        assert extractor.fork_server_pid is not None
        until(lambda: processes_in(extractor.fork_server_pid or 0) == [extractor.fork_server_pid])


def test_a_child_that_is_warm_but_has_read_nothing_is_anybody_s() -> None:
    pool = ChildPool(PoolSize(processes=1), limits=Limits(), registry=REGISTRY)
    try:
        with pool.child() as warm:
            pass
        with pool.child("somebody") as child:
            assert child is warm
    finally:
        pool.close()


def test_idle_children_are_few_however_many_customers_there_are(extractor: Extractor, reader: Reader) -> None:
    for number in range(10):
        reader.read("words", f"customer {number}")
    fork_server = extractor.fork_server_pid
    assert fork_server is not None
    until(lambda: len(processes_in(fork_server)) <= 1 + 3)
    _, known = reader.read("words again", "customer 9")
    assert known == ["words", "words again"], "the last ones are kept"
