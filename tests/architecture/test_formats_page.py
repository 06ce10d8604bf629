"""The page on formats names all that is read, and claims what is measured."""

import re
from pathlib import Path
from typing import get_args

import pytest

from bench.formats import TABLES_ONLY, WITHOUT_SPANS
from bench.office_files import WRITERS
from octavo.engines.detect import IMAGE_TYPES
from octavo.engines.office.kinds import OfficeKind

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "formats.md"
EXTENSIONS = {"markdown": "md", "text": "txt"}
SYNONYMS = {"jpeg": "jpg", "x-ms-bmp": "bmp", "heif": "heic"}


def rows() -> dict[str, list[str]]:
    """Return the cells of the table by extension."""
    found: dict[str, list[str]] = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("| `."):
            first, *cells = (cell.strip() for cell in line.strip("|").split("|"))
            found |= dict.fromkeys(re.findall(r"`\.(\w+)`", first), cells)
    return found


def test_every_format_has_its_row() -> None:
    office = {EXTENSIONS.get(kind, kind) for kind in get_args(OfficeKind)}
    images = {SYNONYMS.get(kind, kind) for kind in (name.removeprefix("image/") for name in IMAGE_TYPES)}
    assert set(rows()) == {"pdf"} | office | images


@pytest.mark.parametrize("extension", sorted(WRITERS))
def test_a_row_claims_what_the_bench_looks_for(extension: str) -> None:
    _, _, lists, tables, spans, *_ = rows()[extension]
    assert (lists == "yes") == (extension not in TABLES_ONLY)
    assert (tables == "yes") == (extension != "txt")
    assert (spans == "yes") == (extension not in WITHOUT_SPANS)
