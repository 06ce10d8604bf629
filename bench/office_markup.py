"""Made-up documents as text and markup: HTML, EPUB, Markdown, CSV, TXT, RTF, mail."""

import csv
import io
import zipfile
from collections.abc import Sequence
from email.message import EmailMessage
from html import escape
from itertools import groupby
from pathlib import Path

from bench.office_plan import Heading, Item, Paragraph, Part, PlannedCell, PlannedTable

_RTF_HEAD = (
    r"{\rtf1\ansi\deff0{\fonttbl{\f0 Times;}}"
    r"{\stylesheet{\s0 Normal;}{\s1\outlinelevel0 heading 1;}{\s2\outlinelevel1 heading 2;}"
    r"{\s3\outlinelevel2 heading 3;}}"
)
_CONTAINER = (
    '<?xml version="1.0"?><container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="OEBPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
)
_BOOK = (
    '<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id">'
    '<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:identifier id="id">made</dc:identifier>'
    "<dc:title>Made</dc:title><dc:language>en</dc:language></metadata><manifest>"
    '<item id="c1" href="c1.xhtml" media-type="application/xhtml+xml"/></manifest>'
    '<spine><itemref idref="c1"/></spine></package>'
)


def html_body(parts: Sequence[Part]) -> str:
    """Return the parts as HTML; nested items are lists in their item."""
    pieces: list[str] = []
    for is_item, members in groupby(parts, key=lambda part: isinstance(part, Item)):
        if is_item:
            pieces.append(_html_lists([part for part in members if isinstance(part, Item)]))
        else:
            pieces += [_html(part) for part in members]
    return "\n".join(pieces)


def _html(part: Part) -> str:
    match part:
        case Heading():
            return f"<h{part.level}>{escape(part.text)}</h{part.level}>"
        case PlannedTable():
            return _html_table(part)
        case Paragraph() | Item():
            return f"<p>{escape(part.text)}</p>"


def _html_lists(items: Sequence[Item]) -> str:
    text = ""
    open_tags: list[str] = []
    for item in items:
        while len(open_tags) > item.depth + 1:
            text += f"</li></{open_tags.pop()}>"
        if len(open_tags) == item.depth + 1:
            text += "</li>"
        else:
            open_tags.append("ol" if item.number is not None else "ul")
            text += f"<{open_tags[-1]}>"
        text += f"<li>{escape(item.text)}"
    return text + "".join(f"</li></{tag}>" for tag in reversed(open_tags))


def _html_table(table: PlannedTable) -> str:
    rows = []
    for row in range(table.n_rows):
        tag = "th" if row == 0 else "td"
        cells = ""
        for col in range(table.n_cols):
            if table.covers(row, col):
                continue
            cell = table.at(row, col) or PlannedCell((), row, col)
            inner = "<br/>".join(escape(line) for line in cell.lines)
            cells += f'<{tag} rowspan="{cell.row_span}" colspan="{cell.col_span}">{inner}</{tag}>'
        rows.append(f"<tr>{cells}</tr>")
    return f"<table>{''.join(rows)}</table>"


def write_html(path: Path, parts: Sequence[Part]) -> None:
    head = '<head><meta charset="utf-8"><title>Made</title></head>'
    page = f"<!DOCTYPE html><html>{head}<body>{html_body(parts)}</body></html>"
    path.write_text(page, encoding="utf-8")


def write_epub(path: Path, parts: Sequence[Part]) -> None:
    page = (
        '<?xml version="1.0" encoding="utf-8"?><html xmlns="http://www.w3.org/1999/xhtml">'
        f"<head><title>Made</title></head><body>{html_body(parts)}</body></html>"
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("mimetype"), "application/epub+zip")
        archive.writestr("META-INF/container.xml", _CONTAINER)
        archive.writestr("OEBPS/book.opf", _BOOK)
        archive.writestr("OEBPS/c1.xhtml", page)


def write_eml(path: Path, parts: Sequence[Part]) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@example.com", "b@example.com", "Made"
    message["Date"] = "Wed, 25 Nov 2026 10:00:00 +0000"
    message.set_content("The same in HTML.")
    message.add_alternative(f"<html><body>{html_body(parts)}</body></html>", subtype="html")
    path.write_bytes(bytes(message))


def write_markdown(path: Path, parts: Sequence[Part]) -> None:
    lines: list[str] = []
    for part in parts:
        match part:
            case Heading():
                lines += ["", f"{'#' * part.level} {part.text}", ""]
            case Item():
                indent = "  " * part.depth
                lines.append(f"{indent}{f'{part.number}.' if part.number else '-'} {part.text}")
            case Paragraph():
                lines += ["", part.text.replace("<", "&lt;"), ""]
            case PlannedTable():
                lines += ["", *_markdown_table(part), ""]
    path.write_text("\n".join(lines), encoding="utf-8")


def _markdown_table(table: PlannedTable) -> list[str]:
    rows = [
        "| " + " | ".join("<br>".join(cell.lines) if (cell := table.at(row, col)) else "" for col in range(3)) + " |"
        for row in range(table.n_rows)
    ]
    return [rows[0], "|" + " --- |" * table.n_cols, *rows[1:]]


def write_csv(path: Path, parts: Sequence[Part]) -> None:
    table = next(part for part in parts if isinstance(part, PlannedTable))
    out = io.StringIO()
    rows = csv.writer(out)
    for row in range(table.n_rows):
        cells = [table.at(row, col) for col in range(table.n_cols)]
        rows.writerow(["\n".join(cell.lines) if cell else "" for cell in cells])
    path.write_text(out.getvalue(), encoding="utf-8")


def write_text(path: Path, parts: Sequence[Part]) -> None:
    lines: list[str] = []
    for part in parts:
        if isinstance(part, Item):
            lines.append(f"{'  ' * part.depth}{f'{part.number}.' if part.number else '-'} {part.text}")
        elif isinstance(part, Paragraph):
            lines += ["", part.text, ""]
    path.write_text("\n".join(lines), encoding="utf-8")


def write_rtf(path: Path, parts: Sequence[Part]) -> None:
    path.write_text(_RTF_HEAD + "\n".join(_rtf(part) for part in parts) + "}", encoding="ascii")


def _rtf(part: Part) -> str:
    match part:
        case Heading():
            return rf"\pard\s{part.level}\outlinelevel{part.level - 1} {_rtf_text(part.text)}\par"
        case Item():
            mark = rf"{part.number}." if part.number else r"\bullet"
            return (
                rf"\pard\s0\fi-360\li{720 * (part.depth + 1)}\ls1\ilvl{part.depth} "
                rf"{{\pntext {mark}\tab}}{_rtf_text(part.text)}\par"
            )
        case Paragraph():
            return rf"\pard\s0 {_rtf_text(part.text)}\par"
        case PlannedTable():
            return "\n".join(_rtf_row(part, row) for row in range(part.n_rows)) + r"\pard"


def _rtf_row(table: PlannedTable, row: int) -> str:
    edges = "".join(rf"\cellx{3000 * (col + 1)}" for col in range(table.n_cols))
    cells = [table.at(row, col) for col in range(table.n_cols)]
    inner = [r"\line ".join(map(_rtf_text, cell.lines)) if cell else "" for cell in cells]
    texts = "".join(rf"\intbl {text}\cell" for text in inner)
    return rf"\trowd{edges}\pard{texts}\row"


def _rtf_text(text: str) -> str:
    return "".join(letter if letter.isascii() else rf"\u{ord(letter)}?" for letter in text)
