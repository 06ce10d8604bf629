"""Finished pages of an incomplete result, in storage."""

import pytest

from octavo.errors import StorageUnavailable
from octavo.extraction.kept_pages import KeptPages
from octavo.identifiers import CustomerId, ResultId
from octavo.objects.memory import MemoryObjects

CUSTOMER = CustomerId("cust_1")


@pytest.fixture
def objects() -> MemoryObjects:
    return MemoryObjects()


def kept(objects: MemoryObjects, result_id: str = "res_1", *, may_be_some: bool = True) -> KeptPages:
    return KeptPages(objects, CUSTOMER, ResultId(result_id), may_be_some=may_be_some)


def stored(objects: MemoryObjects) -> list[str]:
    return [info.key for info in objects.list("results/")]


def test_what_one_reading_keeps_another_finds(objects: MemoryObjects) -> None:
    writer = kept(objects, may_be_some=False)
    assert writer.pieces() == []
    assert writer.add(b"one")
    assert writer.add(b"two")
    assert sorted(kept(objects).pieces()) == sorted(writer.pieces()) == [b"one", b"two"]


def test_two_workers_at_once_only_add_to_each_other(objects: MemoryObjects) -> None:
    late, current = kept(objects), kept(objects)
    current.add(b"current")
    late.add(b"late")
    assert sorted(kept(objects).pieces()) == [b"current", b"late"]


def test_another_engine_version_or_other_options_find_nothing(objects: MemoryObjects) -> None:
    kept(objects).add(b"one")
    assert kept(objects, "res_2").pieces() == []


@pytest.mark.parametrize("cut", [0, 1, 31, 34])
def test_a_piece_that_is_not_whole_counts_for_nothing(objects: MemoryObjects, cut: int) -> None:
    kept(objects).add(b"one")
    (key,) = stored(objects)
    objects.write(key, objects.read(key, max_bytes=100)[:cut], "application/octet-stream")
    kept(objects).add(b"two")
    assert kept(objects).pieces() == [b"two"]


def test_all_pieces_go_when_the_result_is_there(objects: MemoryObjects) -> None:
    kept(objects).add(b"one")
    objects.write("results/cust_1/res_1/document.json", b"{}", "application/json")
    kept(objects).drop()
    assert stored(objects) == ["results/cust_1/res_1/document.json"]


def test_storage_that_is_down_costs_pieces_and_no_reading(objects: MemoryObjects) -> None:
    writer = kept(objects)
    objects.available = False
    assert not writer.add(b"one")
    writer.drop()
    with pytest.raises(StorageUnavailable):
        writer.pieces()


def test_a_first_reading_asks_storage_for_nothing(objects: MemoryObjects) -> None:
    objects.available = False
    first = kept(objects, may_be_some=False)
    assert first.pieces() == []
    first.drop()
