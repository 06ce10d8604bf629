"""What a document leaves behind is gone before the next one is read: processes, files, and the child with them."""

import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from octavo.engines.contract import Limits, Source
from octavo.engines.registry import TEST_ENGINES, EngineRegistry
from octavo.errors import ExtractionFailed
from octavo.extraction.extractor import Extractor
from octavo.parse_options import ParseOptions
from tests.engines_bad.engines import REFERENCES
from tests.engines_bad.test_misbehaviour import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox is complete on Linux only")

LIMITS = replace(Limits(), wall_seconds=60.0, page_seconds=60.0, documents_per_child=50)


@pytest.fixture(scope="module")
def work_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def extractor(work_directory: Path) -> Iterator[Extractor]:
    registry = EngineRegistry({**TEST_ENGINES, **REFERENCES})
    with Extractor(processes=1, limits=LIMITS, registry=registry, work_directory=work_directory) as extractor:
        yield extractor


def pids_after(extractor: Extractor, folder: Path, word: str) -> list[int]:
    """Return the child that read a document, and what the engine says to have left running."""
    path = folder / "document"
    path.write_text(word)
    document = extractor.extract(Source(path), ParseOptions(engine="lingering")).document
    return list(map(int, document.blocks[0].text.split()))


def family(fork_server: int | None) -> set[int]:
    """Return the children of the fork server and theirs, zombies among them."""
    found = {fork_server}
    for _ in range(3):
        for pid in list(found):
            with suppress(OSError):
                found.update(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
    return {pid for pid in found if pid is not None and pid != fork_server}


def test_a_child_that_leaves_nothing_is_used_again(extractor: Extractor, tmp_path: Path) -> None:
    assert pids_after(extractor, tmp_path, "nothing") == pids_after(extractor, tmp_path, "nothing")


@pytest.mark.parametrize("word", ["process", "orphan", "session", "sibling", "zombie"])
def test_what_a_document_has_left_running_ends_and_is_reaped(extractor: Extractor, tmp_path: Path, word: str) -> None:
    child, *left = pids_after(extractor, tmp_path, word)
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in left))
    following, *_ = pids_after(extractor, tmp_path, "nothing")
    assert (following == child) == (left == [])
    until(lambda: family(extractor.fork_server_pid) == {following})


@pytest.mark.parametrize("word", ["depth", "closed-folders"])
def test_folders_are_removed_however_deep_and_closed_they_are(
    extractor: Extractor, work_directory: Path, tmp_path: Path, word: str
) -> None:
    extractor.warm_up()
    fork_server = extractor.fork_server_pid
    with suppress(ExtractionFailed):  # where its owner looks in the middle of it, what is too deep to be seen fails
        pids_after(extractor, tmp_path, word)
    pids_after(extractor, tmp_path, "nothing")
    assert extractor.fork_server_pid == fork_server
    until(lambda: list(work_directory.glob("*/*/*")) == [])
