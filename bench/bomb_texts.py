"""Office files, mail, markup and plain text that are bombs, or that refer to other addresses.

Where they are read, they must be read within limits; where not, they are unsupported. `{here}` is an address
that listens, to show that nobody calls.
"""

import io
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from bench.bomb_parts import GIB, MIB, archive, nested_zip, repeated
from bench.seeds import own_seeds

MakeAt = Callable[[Path, str], None]
"""Writes a file that may name an address."""

LAUGHS = (
    "<!DOCTYPE lolz [<!ENTITY a0 'ha'>" + "".join(f"<!ENTITY a{n} '{f'&a{n - 1};' * 10}'>" for n in range(1, 11)) + "]>"
)
QUADRATIC = f"<!DOCTYPE q [<!ENTITY a '{'ha' * 50_000}'>]>"
OUTSIDE = "<!DOCTYPE x [<!ENTITY file SYSTEM 'file:///etc/passwd'><!ENTITY net SYSTEM '{here}/entity'>]>"
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def plain(text: str) -> MakeAt:
    """Return a writer of a text in which `{here}` becomes the address."""
    return lambda path, here: _write(path, text.replace("{here}", here).encode())


def long(piece: bytes, size: int, head: bytes = b"", tail: bytes = b"") -> MakeAt:
    """Return a writer that repeats a piece."""

    def make(path: Path, here: str) -> None:
        with path.open("wb") as file:
            file.writelines((head, *repeated(piece, size), tail))

    return make


def within(seed: str, member: str, change: Callable[[str, str], str | Iterable[bytes]]) -> MakeAt:
    """Return a writer of a valid office file from `bench.seeds` with one member changed."""

    def make(path: Path, here: str) -> None:
        (data,) = (found.data for found in own_seeds() if found.name == seed)
        with zipfile.ZipFile(io.BytesIO(data)) as sound:
            members = {name: sound.read(name) for name in sound.namelist()}
        changed = change(members.pop(member).decode(), here)
        if isinstance(changed, str):
            archive(path, {**members, member: changed.encode()})
        else:
            archive(path, members, {member: changed})

    return make


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def _with_entity(doctype: str, old: str, new: str) -> Callable[[str, str], str]:
    def change(xml: str, here: str) -> str:
        head, mark, rest = xml.rpartition("?>")
        assert old in rest
        return head + mark + doctype.replace("{here}", here) + rest.replace(old, new, 1)

    return change


def _long_document(xml: str, here: str) -> Iterable[bytes]:
    head = f'<?xml version="1.0"?><w:document xmlns:w="{WORD}"><w:body>'.encode()
    yield head
    yield from repeated(b"<w:p><w:r><w:t>High water at six.</w:t></w:r></w:p>", GIB)
    yield b"</w:body></w:document>"


def _long_sheet(xml: str, here: str) -> Iterable[bytes]:
    yield f'<?xml version="1.0"?><worksheet xmlns="{SHEET}"><sheetData>'.encode()
    yield from repeated(b"<row><c><v>412</v></c><c><v>398</v></c></row>", GIB)
    yield b"</sheetData></worksheet>"


def _far_cell(xml: str, here: str) -> str:
    far = '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
    wide = '<mergeCells count="1"><mergeCell ref="A5:XFD1048576"/></mergeCells>'
    head, _, rest = xml.replace("</sheetData>", far).partition("<mergeCells")
    return head + wide + rest.partition("</mergeCells>")[2]


def _deep_document(xml: str, here: str) -> str:
    depth = 100_000
    deep = "<w:tbl><w:tr><w:tc>" * depth + "<w:p/>" + "</w:tc></w:tr></w:tbl>" * depth
    return f'<?xml version="1.0"?><w:document xmlns:w="{WORD}"><w:body>{deep}</w:body></w:document>'


def _outside_image(xml: str, here: str) -> str:
    relation = (
        '<Relationship Id="rIdFar" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/image" '
        f'Target="{here}/relation.png" TargetMode="External"/></Relationships>'
    )
    return xml.replace("</Relationships>", relation)


def many_members(path: Path, here: str) -> None:
    """A word-processing file with 200,000 empty members beside its own."""
    within("tides.docx", "word/document.xml", lambda xml, _: xml)(path, here)
    with zipfile.ZipFile(path, "a") as made:
        for number in range(200_000):
            made.writestr(f"word/media/{number}", b"")


def overlapping(path: Path, here: str) -> None:
    """A ZIP whose directory names the same 10 MiB two thousand times."""
    archive(path, {"0": bytes(10 * MIB)})
    data = path.read_bytes()
    start = data.index(b"PK\x01\x02")
    entry, count = data[start : data.index(b"PK\x05\x06")], 2000
    end = b"PK\x05\x06" + bytes(4) + count.to_bytes(2, "little") * 2
    end += (len(entry) * count).to_bytes(4, "little") + start.to_bytes(4, "little") + bytes(2)
    path.write_bytes(data[:start] + entry * count + end)


def nested_mail(path: Path, here: str) -> None:
    """A mail of 20,000 parts within one another."""
    with path.open("w") as file:
        file.write("From: a@example.org\nSubject: deep\nMIME-Version: 1.0\n")
        for number in range(20_000):
            file.write(f'Content-Type: multipart/mixed; boundary="b{number}"\n\n--b{number}\n')
        file.write("Content-Type: text/plain\n\nHigh water.\n")


def outside_mail(path: Path, here: str) -> None:
    """A mail whose HTML refers to pictures at other addresses, and whose text is at another address."""
    path.write_text(
        'From: a@example.org\nSubject: far\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="b"\n\n--b\n'
        f'Content-Type: text/html\n\n<img src="{here}/mail.png"><p>High water at six.</p>\n--b\n'
        f'Content-Type: message/external-body; access-type=URL; URL="{here}/body"\n\n\n--b--\n'
    )


OUTSIDE_HTML = """<!DOCTYPE html><html><head><base href="{here}/"><link rel="stylesheet" href="{here}/style.css">
<script src="{here}/script.js"></script><meta http-equiv="refresh" content="0;url={here}/refresh"></head><body>
<h1>Tides</h1><img src="{here}/image.png"><img src="file:///etc/passwd"><iframe src="{here}/frame"></iframe>
<object data="{here}/object"></object><video src="{here}/video"></video><p style="background:url({here}/css)">
High water at six.</p><img src="http://169.254.169.254/latest/meta-data/"></body></html>"""
OUTSIDE_SVG = """<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="90">
<image xlink:href="{here}/image.png" width="9" height="9"/><image href="file:///etc/passwd" width="9" height="9"/>
<use xlink:href="{here}/other.svg#part"/><style>@import url({here}/style.css);</style><text y="20">Tides</text></svg>"""
LOL_SVG = f'<?xml version="1.0"?>{LAUGHS}<svg xmlns="http://www.w3.org/2000/svg"><text>&a10;</text></svg>'
USE_SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg"><g id="u0"><text>ha</text></g>'
    + "".join(f'<g id="u{n}">{f"""<use href="#u{n - 1}"/>""" * 10}</g>' for n in range(1, 11))
    + "</svg>"
)
DOCX_TEXT = "High water at six."

_SPANS = 'table:number-columns-spanned="2147483647" table:number-rows-spanned="2147483647"'
_REPEATS = 'table:number-columns-repeated="16384"'
_SHEET_HEAD = (
    '<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" '
    'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"><office:body><office:spreadsheet><table:table>'
)
_SHEET_TAIL = "</table:table></office:spreadsheet></office:body></office:document-content>"


def open_sheet(row: str) -> MakeAt:
    """Return a writer of an OpenDocument sheet with one row."""

    def make(path: Path, here: str) -> None:
        content = _SHEET_HEAD + row + _SHEET_TAIL
        archive(path, {"mimetype": b"application/vnd.oasis.opendocument.spreadsheet", "content.xml": content.encode()})

    return make


TEXTS: Mapping[str, MakeAt] = {
    "words-1gib.docx": within("tides.docx", "word/document.xml", _long_document),
    "cells-1gib.xlsx": within("tides.xlsx", "xl/worksheets/sheet1.xml", _long_sheet),
    "far-cell.xlsx": within("tides.xlsx", "xl/worksheets/sheet1.xml", _far_cell),
    "merged.xlsx": within(
        "tides.xlsx",
        "xl/worksheets/sheet1.xml",
        lambda xml, _: xml.replace(
            "</sheetData>", '</sheetData><mergeCells><mergeCell ref="A1:XFD1048576"/></mergeCells>'
        ),
    ),
    "grid.docx": within(
        "tides.docx",
        "word/document.xml",
        lambda xml, _: xml.replace(
            "<w:body>",
            '<w:body><w:tbl><w:tr><w:tc><w:tcPr><w:gridSpan w:val="9999999"/></w:tcPr></w:tc></w:tr></w:tbl>',
        ),
    ),
    "deep.docx": within("tides.docx", "word/document.xml", _deep_document),
    "laughs.docx": within("tides.docx", "word/document.xml", _with_entity(LAUGHS, DOCX_TEXT, "&a10;")),
    "quadratic.docx": within("tides.docx", "word/document.xml", _with_entity(QUADRATIC, DOCX_TEXT, "&a;" * 20_000)),
    "entity.docx": within("tides.docx", "word/document.xml", _with_entity(OUTSIDE, DOCX_TEXT, "&file;&net;")),
    "outside.docx": within("tides.docx", "word/_rels/document.xml.rels", _outside_image),
    "laughs.odt": within("tides.odt", "content.xml", _with_entity(LAUGHS, DOCX_TEXT, "&a10;")),
    "laughs.epub": within("tides.epub", "a.xhtml", _with_entity(LAUGHS, "High water.", "&a10;")),
    "outside.epub": within("tides.epub", "a.xhtml", lambda _, here: OUTSIDE_HTML.replace("{here}", here)),
    "spans.ods": open_sheet(
        f"<table:table-row><table:table-cell {_SPANS}><text:p>a</text:p></table:table-cell></table:table-row>"
    ),
    "repeats.ods": open_sheet(
        '<table:table-row table:number-rows-repeated="1048576">'
        f"<table:table-cell {_REPEATS}><text:p>a</text:p></table:table-cell></table:table-row>"
    ),
    "members-200000.docx": many_members,
    "nested.zip": lambda path, _: _write(path, nested_zip(5, 16)),
    "overlapping.zip": overlapping,
    "overlapping.docx": overlapping,
    "laughs.svg": plain(LOL_SVG),
    "uses.svg": plain(USE_SVG),
    "entity.svg": plain(
        '<?xml version="1.0"?>' + OUTSIDE + "<svg xmlns='http://www.w3.org/2000/svg'>&file;&net;</svg>"
    ),
    "outside.svg": plain(OUTSIDE_SVG),
    "outside.html": plain(OUTSIDE_HTML),
    "outside.md": plain(
        "# Tides\n\n![chart]({here}/chart.png)\n\n<img src='{here}/inline.png'>\n\nHigh water at six.\n"
    ),
    "outside.eml": outside_mail,
    "laughs.html": plain(f"{LAUGHS}<html><body><p>&a10;</p></body></html>"),
    "deep.html": long(b"<div>", 5_000_000, b"<html><body>", b"High water."),
    "spans.html": plain(
        "<html><body><table>"
        + '<tr><td colspan="1000000000" rowspan="1000000000">a</td><td>b</td></tr>' * 1000
        + "</table></body></html>"
    ),
    "deep.rtf": long(b"{\\b ", 4_000_000, b"{\\rtf1 ", b"High water."),
    "deep.eml": nested_mail,
    "brackets.md": long(b"[", 200_000),
    "quotes.md": long(b"> ", 200_000),
    "columns.csv": long(b"412;", 8_000_000, b"", b"\n398;412\n"),
    "lines-20m.txt": long(b"a\n", 40_000_000),
    "comments.html": long(b"<!-- a -->", 1_000_000),
    "parts-500000.eml": long(
        b"--b\nContent-Disposition: attachment; filename=a\n\nHi\n",
        26_000_000,
        b'From: a@example.org\nSubject: a\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="b"\n\n',
    ),
    "text-100mb.txt": long(b"High water at six. ", 100 * MIB),
    "text-100mb.csv": long(b"Monday;412;398\n", 100 * MIB),
    "text-100mb.md": long(b"# Tides\n\nHigh water at *six*.\n\n", 100 * MIB),
    "text-100mb.html": long(b"<p>High water at <b>six</b>.</p>\n", 100 * MIB, b"<html><body>"),
}
