"""Each claim of `docs/explain/sandbox.md` about what a child can do, tried with all walls up."""

import os
import stat
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from octavo.engines.contract import Limits, Source
from octavo.engines.registry import EngineRegistry
from octavo.engines.sandbox.confinement import WALLS
from octavo.engines.sandbox.system_calls import ABSENT
from octavo.extraction.extractor import Extractor
from octavo.parse_options import ParseOptions
from tests.engines_bad.engines import REFERENCES

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox is complete on Linux only")

LIMITS = replace(Limits(), wall_seconds=60.0, page_seconds=60.0)
OWN = (
    "own content",
    "own file",
    "own length",
    "own copy",
    "own folder",
    "own name",
    "own pair",
    "own process",
    "own priority",
    "own terminal",
)
DOCUMENTED = ("a look",)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "ledger"
    path.write_text("a ledger")
    return path


@pytest.fixture(scope="module")
def before(target: Path) -> os.stat_result:
    return target.stat()


@pytest.fixture(scope="module")
def ended(target: Path, before: os.stat_result, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    document = tmp_path_factory.mktemp("probe") / "document"
    document.write_text(str(target))
    with Extractor(processes=1, limits=LIMITS, registry=EngineRegistry(REFERENCES)) as extractor:
        read = extractor.extract(Source(document), ParseOptions(engine="probing")).document
        assert extractor.protection == WALLS
        yield dict(block.text.split(": ", 1) for block in read.blocks)


def test_every_call_that_is_listed_is_refused_by_the_filter(ended: dict[str, str]) -> None:
    called = {name.removeprefix("call "): end for name, end in ended.items() if name.startswith("call ")}
    absent = {*ABSENT, "unheard-of"}
    assert len(called) > 100
    assert {name: end for name, end in called.items() if end != ("ENOSYS" if name in absent else "EACCES")} == {}


def test_files_of_the_service_keep_their_names_modes_owners_times_and_content(
    ended: dict[str, str], target: Path, before: os.stat_result
) -> None:
    after = target.stat()
    assert target.read_text() == "a ledger"
    assert stat.S_IMODE(after.st_mode) == stat.S_IMODE(before.st_mode)
    assert (after.st_ctime_ns, after.st_mtime_ns, after.st_nlink) == (before.st_ctime_ns, before.st_mtime_ns, 1)
    assert os.listxattr(target) == []


def test_nothing_is_possible_beyond_what_a_parser_needs_and_what_is_documented(ended: dict[str, str]) -> None:
    tried = {name: end for name, end in ended.items() if not name.startswith("call ")}
    assert {name for name, end in tried.items() if end == "DONE"} == {*OWN, *DOCUMENTED}
