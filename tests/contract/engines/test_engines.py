"""What every local engine owes, asked of each in a real child; and what a registry owes."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from octavo.documents import Document
from octavo.engines.contract import Limits, Source
from octavo.engines.registry import BUILT_IN, TEST_ENGINES, EngineRegistry
from octavo.errors import DocumentTooLarge, ExtractionFailed, PageLimitExceeded, UnknownEngine, UnsupportedInput
from octavo.extraction.extractor import Extractor
from octavo.parse_options import ParseOptions
from octavo.samples import make_damaged, make_locked, make_report, make_text_named_pdf
from tests.observers import Observing

LIMITS = replace(Limits(), max_bytes=1_000_000, max_pages=2, page_seconds=30.0)
PARSING_ENGINES = sorted(BUILT_IN)


@pytest.fixture(scope="module")
def extractor() -> Iterator[Extractor]:
    with Extractor(processes=1, limits=LIMITS, registry=EngineRegistry.installed(test_engines=True)) as extractor:
        yield extractor


@pytest.fixture(params=PARSING_ENGINES)
def options(request: pytest.FixtureRequest) -> ParseOptions:
    return ParseOptions(engine=str(request.param))


def extract(extractor: Extractor, path: Path, options: ParseOptions) -> Document:
    return extractor.extract(Source(path, filename=path.name), options).document


@pytest.mark.parametrize("name", sorted({**BUILT_IN, **TEST_ENGINES}))
def test_an_engine_says_what_it_is(name: str) -> None:
    engine = EngineRegistry.installed(test_engines=True).resolve(name)
    assert engine.name == name
    assert engine.version
    assert engine.licence
    assert engine.kind in ("local", "remote")
    assert engine.availability().available


def test_a_report_is_read(extractor: Extractor, tmp_path: Path, options: ParseOptions) -> None:
    make_report(tmp_path / "report.pdf")
    document = extract(extractor, tmp_path / "report.pdf", options)
    assert document.page_count == 2
    assert document.blocks


def test_the_same_bytes_give_the_same_document(extractor: Extractor, tmp_path: Path, options: ParseOptions) -> None:
    make_report(tmp_path / "report.pdf")
    assert extract(extractor, tmp_path / "report.pdf", options) == extract(extractor, tmp_path / "report.pdf", options)


def test_a_damaged_document_fails(extractor: Extractor, tmp_path: Path, options: ParseOptions) -> None:
    make_damaged(tmp_path / "damaged.pdf")
    with pytest.raises(ExtractionFailed, match="damaged"):
        extract(extractor, tmp_path / "damaged.pdf", options)


def test_an_encrypted_document_fails_and_the_message_says_password(
    extractor: Extractor, tmp_path: Path, options: ParseOptions
) -> None:
    make_locked(tmp_path / "locked.pdf")
    with pytest.raises(ExtractionFailed, match="password"):
        extract(extractor, tmp_path / "locked.pdf", options)


def test_text_under_a_pdf_name_is_unsupported(extractor: Extractor, tmp_path: Path, options: ParseOptions) -> None:
    make_text_named_pdf(tmp_path / "note.pdf")
    with pytest.raises(UnsupportedInput, match="text/plain"):
        extract(extractor, tmp_path / "note.pdf", options)


def test_an_empty_document_is_unsupported(extractor: Extractor, tmp_path: Path, options: ParseOptions) -> None:
    (tmp_path / "empty.pdf").touch()
    with pytest.raises(UnsupportedInput, match="empty"):
        extract(extractor, tmp_path / "empty.pdf", options)


def test_a_document_over_the_byte_limit_is_too_large(
    extractor: Extractor, tmp_path: Path, options: ParseOptions
) -> None:
    with (tmp_path / "large.pdf").open("wb") as file:
        file.truncate(LIMITS.max_bytes + 1)
    with pytest.raises(DocumentTooLarge):
        extract(extractor, tmp_path / "large.pdf", options)


def test_a_document_over_the_page_limit_is_refused_before_it_is_read(
    extractor: Extractor, tmp_path: Path, options: ParseOptions
) -> None:
    make_report(tmp_path / "report.pdf")
    counted: list[int] = []
    with (
        Extractor(processes=1, limits=replace(LIMITS, max_pages=1), registry=EngineRegistry.installed()) as strict,
        pytest.raises(PageLimitExceeded, match="2 pages"),
    ):
        strict.extract(Source(tmp_path / "report.pdf"), options, Observing(on_counted=counted.append))
    assert counted == []


def test_pages_are_counted_before_they_are_read(extractor: Extractor, tmp_path: Path, options: ParseOptions) -> None:
    make_report(tmp_path / "report.pdf")
    counted: list[int] = []
    extractor.extract(Source(tmp_path / "report.pdf"), options, Observing(on_counted=counted.append))
    assert counted == [2]


def test_auto_and_nothing_are_the_default_pipeline() -> None:
    registry = EngineRegistry.installed()
    assert registry.resolve(None).name == registry.resolve("auto").name == "auto"
    assert registry.names()[0] == "auto"
    assert registry.names().count("auto") == 1


def test_test_engines_are_not_offered_by_default() -> None:
    assert not set(EngineRegistry.installed().names()) & set(TEST_ENGINES)
    assert set(EngineRegistry.installed(test_engines=True).names()) >= set(TEST_ENGINES)


@pytest.mark.parametrize("name", ["nonsense", "sleep", "fast:x", "auto:1", "", ":"])
def test_an_unknown_engine_is_refused_with_the_list(name: str) -> None:
    with pytest.raises(UnknownEngine) as raised:
        EngineRegistry.installed().resolve(name)
    assert "fast" in str(raised.value.facts["engines"])


@pytest.mark.parametrize("name", ["sleep:x", "sleep:-1", "sleep:nan", "sleep:1e9"])
def test_an_impossible_parameter_is_refused(name: str) -> None:
    with pytest.raises(UnknownEngine):
        EngineRegistry.installed(test_engines=True).resolve(name)


def test_a_remote_engine_runs_without_a_child(extractor: Extractor, tmp_path: Path) -> None:
    (tmp_path / "document").write_text("anything")
    with Extractor(processes=1, limits=LIMITS, registry=EngineRegistry(TEST_ENGINES)) as extractor:
        extraction = extractor.extract(Source(tmp_path / "document"), ParseOptions(engine="sleep:0.01"))
        assert extractor.fork_server_pid is None
    assert extraction.engine == "sleep:0.01"
    assert 0.01 <= extraction.seconds < 5


def test_engines_are_listed_with_what_customers_are_told() -> None:
    engines = EngineRegistry(BUILT_IN).describe()
    assert [engine.name for engine in engines] == ["auto", "fast", "layout"]
    for engine in engines:
        assert (engine.kind, engine.available, engine.reason) == ("local", True, None)
        assert "eng" in engine.languages
