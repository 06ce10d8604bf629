"""Documents of far too many pages or cells: refused with a code of their own within seconds of processor time."""

import io
import re
import struct
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from PIL import Image

from bench.office_files import WRITERS
from bench.office_plan import plan
from octavo.engines.contract import Limits, Source
from octavo.engines.office.counting import check_counts
from octavo.engines.office.kinds import office_kind
from octavo.engines.office.thresholds import OfficeThresholds
from octavo.engines.registry import EngineRegistry
from octavo.errors import DocumentError
from octavo.extraction.extractor import Extractor
from octavo.parse_options import ParseOptions

# Within them by the kernel: a child that takes longer ends with another message.
LIMITS = replace(Limits(), cpu_seconds=5)
PAGES, PLACES = (
    ("page_limit_exceeded", "pages, more than 1000|more than 1000 pages"),
    ("extraction_failed", "1000000 cells"),
)
MAIL = b"From: a@example.org\nTo: b@example.org\nSubject: Tides\n"
SPAN = 'number-columns-spanned="16384" table:number-rows-spanned="1048576"'
CONTENT, DOCUMENT, SHEET = "content.xml", "word/document.xml", "xl/worksheets/sheet1.xml"
Make = Callable[[], bytes]


def altered(extension: str, part: str, pattern: str, by: str, *, times: int = 1) -> Make:
    """Return a maker of a sound document, one place of which is put in other words, with `{0}` for those it had."""

    def make() -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(sound(extension)) as source, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
            for entry in source.infolist():
                data = source.read(entry)
                if entry.filename == part:
                    changed, count = re.subn(
                        pattern, lambda found: by.replace("{0}", found[0] * times), data.decode(), count=1, flags=re.S
                    )
                    assert count == 1
                    data = changed.encode()
                target.writestr(entry, data, zipfile.ZIP_STORED if entry.filename == "mimetype" else None)
        return buffer.getvalue()

    return make


def sound(extension: str) -> io.BytesIO:
    with TemporaryDirectory() as folder:
        path = Path(folder, f"sound.{extension}")
        WRITERS[extension](path, plan())
        return io.BytesIO(path.read_bytes())


def tiff(pages: int) -> bytes:
    """Return a TIFF of that many pages of one pixel."""
    tags = [
        (256, 3, 1, 1),
        (257, 3, 1, 1),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 1, 8),
        (279, 4, 1, 1),
    ]
    body = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags)
    size = len(body) + 4
    after = [16 + number * size for number in range(1, pages)] + [0]
    return b"II*\0" + struct.pack("<I", 16) + b"\xff" * 8 + b"".join(body + struct.pack("<I", place) for place in after)


def mail(parts: int) -> bytes:
    head = MAIL + b'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="b"\n\n'
    return head + b"--b\nContent-Disposition: attachment; filename=a\n\nHigh\n" * parts + b"--b--\n"


TABLE = (
    f"<table:table><table:table-row><table:table-cell table:{SPAN}><text:p>a</text:p></table:table-cell>"
    "</table:table-row></table:table>"
)
GRID = '<w:tbl><w:tr><w:tc><w:tcPr><w:gridSpan w:val="2147483647"/></w:tcPr><w:p/></w:tc></w:tr></w:tbl>'
REPEATED = (
    '<table:table-row table:number-rows-repeated="1048576"><table:table-cell table:number-columns-repeated="16384">'
    "<text:p>a</text:p></table:table-cell></table:table-row>"
)
TOO_MANY: dict[str, tuple[Make, tuple[str, str]]] = {
    "merged.xlsx": (
        altered("xlsx", SHEET, "</sheetData>", '{0}<mergeCells><mergeCell ref="A1:XFD1048576"/></mergeCells>'),
        PLACES,
    ),
    "sheets.xlsx": (altered("xlsx", "xl/workbook.xml", "<sheet [^>]*>", "{0}", times=1200), PAGES),
    "repeated.ods": (altered("ods", CONTENT, "</table:table>", REPEATED + "{0}"), PLACES),
    "sheets.ods": (altered("ods", CONTENT, "<table:table [^>]*>.*?</table:table>", "{0}", times=1200), PAGES),
    "slides.pptx": (altered("pptx", "ppt/presentation.xml", "<p:sldId [^>]*>", "{0}", times=1200), PAGES),
    "pages.odp": (altered("odp", CONTENT, "<draw:page .*?</draw:page>", "{0}", times=1200), PAGES),
    "spans.docx": (altered("docx", DOCUMENT, "<w:body>", "{0}" + GRID), PLACES),
    "spans.odt": (altered("odt", CONTENT, "<office:text[^>]*>", "{0}" + TABLE), PLACES),
    "lines.txt": (lambda: b"a\n" * 20_000_000, PAGES),
    "text.md": (lambda: b"# Tides\n\nHigh water at *six*.\n\n" * 400_000, PAGES),
    "text.html": (lambda: b"<html><body>" + b"<p>High water at <b>six</b>.</p>\n" * 500_000, PAGES),
    "cells.html": (lambda: b"<html><body><table>" + b"<tr><td></td><td></td></tr>" * 600_000, PLACES),
    "text.rtf": (lambda: b"{\\rtf1 " + b"High water at six.\\par " * 500_000 + b"}", PAGES),
    "rows.csv": (lambda: b"Monday;412;398\n" * 500_000, PAGES),
    "empty-rows.csv": (lambda: b"a;b\n" + b";\n" * 2_000_000, PLACES),
    "ragged.csv": (lambda: b"a;" * 20_000 + b"\n" + b"b\n" * 20_000, PLACES),
    "text.eml": (lambda: MAIL + b"\n" + b"High water\n" * 1_000_000, PAGES),
    "parts.eml": (lambda: mail(200_000), ("extraction_failed", "20000 parts")),
    "addresses.eml": (lambda: MAIL + b"Cc: " + b"a@example.org,\n " * 600_000 + b"a@example.org\n\nHi\n", PAGES),
    "pages.tiff": (lambda: tiff(65_535), PAGES),
}


@pytest.fixture(scope="module")
def extractor() -> Iterator[Extractor]:
    with Extractor(processes=1, limits=LIMITS, registry=EngineRegistry()) as extractor:
        yield extractor


@pytest.mark.parametrize("name", TOO_MANY)
def test_what_is_far_too_much_is_refused_before_it_is_read(extractor: Extractor, tmp_path: Path, name: str) -> None:
    make, (code, message) = TOO_MANY[name]
    path = tmp_path / name
    path.write_bytes(make())
    with pytest.raises(DocumentError, match=message) as raised:
        extractor.extract(Source(path, filename=name), ParseOptions(engine="fast"))
    assert raised.value.code == code


EMPTY = (
    '<table:table-row table:number-rows-repeated="1048576"><table:table-cell table:number-columns-repeated="16384"/>'
    "</table:table-row>"
)
ENOUGH: dict[str, Make] = {
    "title.xlsx": altered("xlsx", SHEET, "</sheetData>", '{0}<mergeCells><mergeCell ref="A1:XFD1"/></mergeCells>'),
    "empty.ods": altered("ods", CONTENT, "</table:table>", EMPTY + "{0}"),
    "hidden.xlsx": altered(
        "xlsx", "xl/workbook.xml", "<sheet ", '<sheet name="h" sheetId="99" state="hidden" r:id="rId1"/>' * 1200 + "{0}"
    ),
    "spanning.html": lambda: b"<html><body><table>" + b'<tr><td colspan="1000">a</td></tr>' * 5000,
    "script.html": lambda: b"<html><body><script>" + b"let high = 'water';" * 500_000 + b"</script><p>Six.</p>",
    "entities.html": lambda: b"<html><body><p>" + b"&#x6f6e;" * 2_900_000,
    "accents.txt": lambda: "\u6f6e".encode() * 2_900_000,
    "lines.txt": lambda: b"a\n" * 2_900_000,
    "comments.html": lambda: b"<!-- a -->" * 100 + b"<html><body><p>Six.</p></body></html>",
}


@pytest.mark.parametrize("name", ENOUGH)
def test_what_is_within_the_limits_is_not_refused(name: str) -> None:
    data = ENOUGH[name]()
    kind = office_kind(data, name, None)
    assert kind is not None
    check_counts(kind, data, Limits(), OfficeThresholds())


def test_comments_without_a_page_behind_them_are_looked_through_once() -> None:
    assert office_kind(b"<!-- a -->" * 100 + b"text", "comments.txt", None) == "text"


def test_a_tiff_has_the_pages_that_it_has(extractor: Extractor, tmp_path: Path) -> None:
    path = tmp_path / "three.tiff"
    first, *rest = [Image.new("L", (40, 30), 255) for _ in range(3)]
    first.save(path, save_all=True, append_images=rest)
    assert extractor.extract(Source(path), ParseOptions(engine="fast")).document.page_count == 3


def test_a_mail_of_many_lines_with_dashes_is_read(extractor: Extractor, tmp_path: Path) -> None:
    message, path = EmailMessage(), tmp_path / "dashes.eml"
    message["From"], message["To"], message["Subject"] = "a@example.org", "b@example.org", "Tides"
    message.set_content("High water.")
    message.add_attachment("-- a line\n" * 30_000, filename="log.txt")
    path.write_bytes(message.as_bytes())
    texts = [block.text for block in extractor.extract(Source(path), ParseOptions(engine="fast")).document.blocks]
    assert "Attachment: log.txt" in texts
