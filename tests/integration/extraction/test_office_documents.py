"""Office documents through the sandbox: all of a good one comes out, once; a bad one ends in a listed code."""

import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.formats import trouble
from bench.office_files import WRITERS
from bench.office_plan import plan
from octavo.engines.contract import Limits, Source
from octavo.engines.registry import EngineRegistry
from octavo.errors import DocumentError, ExtractionFailed, UnsupportedInput
from octavo.extraction.extraction import Extraction
from octavo.extraction.extractor import Extractor
from octavo.parse_options import ParseOptions
from octavo.render.markdown import render_markdown
from tests.integration.extraction.conftest import Extract

Named = Callable[[Path, str | None], Extraction]
ZIPPED = ("docx", "pptx", "xlsx", "odt", "odp", "ods", "epub")
WORD = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Override PartName="/word/document.xml" ContentType="'
    'application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>'
)


@pytest.fixture(scope="module")
def named() -> Named:
    """Reads a file under the name and the type it was declared as, in a process of its own."""

    def read(path: Path, content_type: str | None) -> Extraction:
        with Extractor(processes=1, limits=Limits(), registry=EngineRegistry()) as extractor:
            return extractor.extract(Source(path, filename=path.name, content_type=content_type), ParseOptions())

    return read


@pytest.mark.parametrize("extension", sorted(WRITERS))
def test_each_heading_item_and_cell_comes_out_once(extract: Extract, tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"made.{extension}"
    WRITERS[extension](path, plan())
    document = extract(path).document
    assert trouble(extension, render_markdown(document), document) == []


@pytest.mark.parametrize("extension", [*ZIPPED, "rtf", "html"])
def test_what_a_document_is_is_told_by_its_bytes(extract: Extract, tmp_path: Path, extension: str) -> None:
    path = tmp_path / "made.bin"
    WRITERS[extension](path, plan())
    document = extract(path).document
    assert trouble(extension, render_markdown(document), document) == []


@pytest.mark.parametrize("extension", ZIPPED)
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_document_that_was_cut_off_fails_and_says_damaged(
    extract: Extract, tmp_path: Path, extension: str, share: float
) -> None:
    path = tmp_path / f"made.{extension}"
    WRITERS[extension](path, plan())
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(DocumentError) as failed:
        extract(path)
    assert failed.value.code in ("extraction_failed", "unsupported_input")


@pytest.mark.parametrize("packing", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
@pytest.mark.parametrize("member", ["[Content_Types].xml", "word/document.xml"])
def test_a_part_that_does_not_unpack_fails_and_crashes_nothing(
    extract: Extract, tmp_path: Path, packing: int, member: str
) -> None:
    path = tmp_path / "damaged.docx"
    with zipfile.ZipFile(path, "w", packing) as archive:
        archive.writestr("[Content_Types].xml", WORD)
        archive.writestr("word/document.xml", "<w/>" * 2000)
        entry = archive.getinfo(member)
    data = bytearray(path.read_bytes())
    start = entry.header_offset + 30 + len(member)
    # Past the few bytes in which LZMA says how it has packed.
    data[start + 9 : start + entry.compress_size] = b"\xff" * (entry.compress_size - 9)
    path.write_bytes(data)
    with pytest.raises(ExtractionFailed, match="damaged"):
        extract(path)


def test_an_encrypted_office_document_fails_and_the_message_says_password(extract: Extract, tmp_path: Path) -> None:
    path = tmp_path / "locked.docx"
    path.write_bytes(
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504) + "EncryptedPackage".encode("utf-16-le") + bytes(512)
    )
    with pytest.raises(ExtractionFailed, match="password"):
        extract(path)


def test_a_word_document_without_its_text_fails(extract: Extract, tmp_path: Path) -> None:
    path = tmp_path / "hollow.docx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", WORD)
    with pytest.raises(ExtractionFailed):
        extract(path)


def test_a_zip_that_is_no_document_is_unsupported(extract: Extract, tmp_path: Path) -> None:
    path = tmp_path / "some.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "a")
    with pytest.raises(UnsupportedInput, match="application/zip"):
        extract(path)


@pytest.mark.parametrize("bomb", ["entries", "bytes", "ratio", "entities"])
def test_a_container_that_unpacks_to_too_much_is_refused_before_it_is_unpacked(
    extract: Extract, tmp_path: Path, bomb: str
) -> None:
    path = tmp_path / "bomb.docx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", WORD)
        match bomb:
            case "entries":
                for number in range(20_001):
                    archive.writestr(f"{number}", b"")
            case "entities":
                archive.writestr("word/document.xml", '<!DOCTYPE w [<!ENTITY a "b">]><w>&a;</w>')
            case _:
                size = 2**28 if bomb == "ratio" else 2**20
                for number in range(1 if bomb == "ratio" else 600):
                    archive.writestr(f"word/{number}.xml", bytes(size))
    with pytest.raises(ExtractionFailed, match=r"parts|unpacks|entities"):
        extract(path)


def test_text_is_read_where_name_or_type_declares_it(named: Named, tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_text("a;b\n1;2\n")
    (table,) = named(path, "text/csv; charset=utf-8").document.tables
    assert [cell.text for cell in table.cells] == ["a", "b", "1", "2"]
    with pytest.raises(UnsupportedInput, match="text/plain"):
        named(path, None)


@pytest.mark.parametrize("name", ["note.docx", "note.pdf", "note.png"])
def test_text_under_the_name_of_another_format_is_unsupported(named: Named, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("404 not found")
    with pytest.raises(UnsupportedInput):
        named(path, "text/plain")


@pytest.mark.parametrize(
    ("encoding", "mark"), [("utf-8", b"\xef\xbb\xbf"), ("utf-16-le", b"\xff\xfe"), ("cp1252", b""), ("utf-8", b"")]
)
def test_text_is_read_in_the_encoding_it_has(extract: Extract, tmp_path: Path, encoding: str, mark: bytes) -> None:
    path = tmp_path / "note.txt"
    path.write_bytes(mark + "Caf\u00e9 \u2013 na\u00efve\n".encode(encoding))
    (block,) = extract(path).document.blocks
    assert block.text == "Caf\u00e9 \u2013 na\u00efve"


def test_what_a_web_page_names_elsewhere_is_left_out(extract: Extract, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(
        "<html><body><h1>Here</h1><img src='http://127.0.0.1:9/x.png'><img src='file:///etc/passwd'>"
        "<iframe src='http://127.0.0.1:9/'></iframe><p>text</p></body></html>"
    )
    extraction = extract(path)
    assert [block.text for block in extraction.document.blocks] == ["Here", "text"]
    assert not extraction.document.figures


def test_flowing_text_has_a_page_for_every_three_thousand_characters(extract: Extract, tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    path.write_text("\n\n".join(["x" * 999] * 10))
    document = extract(path).document
    assert document.page_count == 4
    assert [block.page_no for block in document.blocks] == [1, 1, 1, 1, 2, 2, 2, 3, 3, 3]


def test_hidden_sheets_are_neither_read_nor_counted(extract: Extract, tmp_path: Path) -> None:
    path = tmp_path / "made.xlsx"
    WRITERS["xlsx"](path, plan())
    document = extract(path).document
    assert document.page_count == 3
    assert "not to be seen" not in render_markdown(document)


def test_a_sheet_that_says_it_is_endless_holds_what_it_holds(extract: Extract, tmp_path: Path) -> None:
    path, endless = tmp_path / "made.xlsx", tmp_path / "endless.xlsx"
    WRITERS["xlsx"](path, plan())
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(endless, "w") as target:
        for entry in source.infolist():
            data = source.read(entry)
            if entry.filename.endswith("sheet1.xml"):
                data = data.replace(b'ref="A1:C4"', b'ref="A1:XFD1048576"')
                assert b"XFD1048576" in data
            target.writestr(entry, data)
    document = extract(endless).document
    assert trouble("xlsx", render_markdown(document), document) == []


@pytest.mark.parametrize("extension", ["ods", "html"])
def test_a_cell_that_claims_billions_of_places_has_those_that_there_are(
    extract: Extract, tmp_path: Path, extension: str
) -> None:
    path = tmp_path / f"made.{extension}"
    WRITERS[extension](path, plan())
    before = extract(path).document.tables[0]
    changed(path, rb'(?<=rows-spanned=)"2"|(?<=rowspan=)"2"', b'"2147483647"')
    table = extract(path).document.tables[0]
    assert table.n_rows == before.n_rows
    assert [cell.row_span for cell in table.cells if cell.row_span > 1] == [before.n_rows - 1]


@pytest.mark.parametrize("sender", ["a@", "<", "=?utf-8?q?", "a@[", '"', "\udcff@\udcff"])
def test_a_mail_with_a_malformed_sender_is_read_all_the_same(extract: Extract, tmp_path: Path, sender: str) -> None:
    path = tmp_path / "made.eml"
    path.write_bytes(f"From: {sender}\nSubject: Bridge\n\nClosed.\n".encode("utf-8", "surrogateescape"))
    texts = [block.text for block in extract(path).document.blocks]
    assert (texts[0], texts[-1]) == ("Bridge", "Closed.")


def test_a_heading_of_an_absurd_level_is_no_crash(extract: Extract, tmp_path: Path) -> None:
    path = tmp_path / "made.odt"
    WRITERS["odt"](path, plan())
    changed(path, rb'(?<=outline-level=)"2"', b'"255"')
    with pytest.raises(ExtractionFailed, match="makes no sense"):
        extract(path)


def changed(path: Path, old: bytes, new: bytes) -> None:
    """Change what stands in a file, or in the main part of an OpenDocument."""
    if path.suffix == ".html":
        path.write_bytes(re.sub(old, new, path.read_bytes()))
        return
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    assert re.search(old, members["content.xml"])
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, re.sub(old, new, data) if name == "content.xml" else data)


def test_a_table_has_the_caption_that_its_file_gives_it(extract: Extract, tmp_path: Path) -> None:
    path = tmp_path / "made.html"
    path.write_text(
        "<!DOCTYPE html><html><body><h1>Of planets</h1><table><caption>Planets and their moons</caption>"
        "<tr><th>Planet</th><th>Moons</th></tr><tr><td>Mars</td><td>2</td></tr></table></body></html>"
    )
    document = extract(path).document
    assert [table.caption for table in document.tables] == ["Planets and their moons"]
    assert [block.text for block in document.blocks if block.role == "caption"] == ["Planets and their moons"]
