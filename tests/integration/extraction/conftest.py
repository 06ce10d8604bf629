"""The samples, drawn once, and one extractor for all tests here."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from octavo.engines.contract import Limits, Source
from octavo.engines.registry import EngineRegistry
from octavo.extraction.extraction import Extraction
from octavo.extraction.extractor import Extractor
from octavo.parse_options import ParseOptions
from octavo.samples import make_samples

Extract = Callable[..., Extraction]


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("samples")
    make_samples(directory)
    return directory


@pytest.fixture(scope="session")
def extract() -> Iterator[Extract]:
    with Extractor(processes=1, limits=Limits(), registry=EngineRegistry()) as extractor:

        def extract(path: Path) -> Extraction:
            return extractor.extract(Source(path, filename=path.name), ParseOptions())

        yield extract


@pytest.fixture(scope="session")
def report(extract: Extract, samples: Path) -> Extraction:
    return extract(samples / "report.pdf")


@pytest.fixture(scope="session")
def scan(extract: Extract, samples: Path) -> Extraction:
    return extract(samples / "scan.pdf")
