"""Made-up documents as office files: Word, PowerPoint, Excel by libraries, OpenDocument by hand."""

import zipfile
from collections.abc import Callable, Mapping, Sequence
from html import escape
from itertools import groupby
from pathlib import Path

import docx
import openpyxl
import pptx
from pptx.util import Inches

from bench.office_markup import write_csv, write_eml, write_epub, write_html, write_markdown, write_rtf, write_text
from bench.office_plan import Heading, Item, Paragraph, Part, PlannedCell, PlannedTable, sections

_SPACES = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name if name != "draw" else "drawing"}:1.0"'
    for name in ("office", "text", "table", "style", "draw", "presentation")
)
_SIZES = 'xmlns:svg="urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0"'
_LISTS = (
    '<text:list-style style:name="L1">'
    + "".join(f'<text:list-level-style-bullet text:level="{n}" text:bullet-char="&#8226;"/>' for n in (1, 2))
    + '</text:list-style><text:list-style style:name="L2">'
    '<text:list-level-style-number text:level="1" style:num-format="1" style:num-suffix="."/></text:list-style>'
)


def write_docx(path: Path, parts: Sequence[Part]) -> None:
    document = docx.Document()
    for part in parts:
        match part:
            case Heading():
                document.add_heading(part.text, part.level)
            case Item():
                kind = "List Number" if part.number else "List Bullet"
                document.add_paragraph(part.text, style=f"{kind} {part.depth + 1}" if part.depth else kind)
            case Paragraph():
                # In two runs, as editors leave it.
                paragraph = document.add_paragraph(part.text[:7])
                paragraph.add_run(part.text[7:]).bold = True
            case PlannedTable():
                table = document.add_table(part.n_rows, part.n_cols)
                for cell in part.cells:
                    last = table.cell(cell.row + cell.row_span - 1, cell.col + cell.col_span - 1)
                    table.cell(cell.row, cell.col).merge(last).text = "\n".join(cell.lines)
    document.save(str(path))


def write_pptx(path: Path, parts: Sequence[Part]) -> None:
    """Write a slide for each heading, its items as the body, its table below."""
    deck = pptx.Presentation()
    for section in sections(parts):
        slide = deck.slides.add_slide(deck.slide_layouts[1])
        body = slide.placeholders[1].text_frame
        for part in section:
            if isinstance(part, Heading):
                slide.shapes.title.text = part.text
            elif isinstance(part, PlannedTable):
                _pptx_table(slide, part)
            else:
                paragraph = body.add_paragraph() if body.text else body.paragraphs[0]
                paragraph.text, paragraph.level = part.text, part.depth if isinstance(part, Item) else 0
    deck.save(str(path))


def _pptx_table(slide: pptx.slide.Slide, planned: PlannedTable) -> None:
    frame = slide.shapes.add_table(planned.n_rows, planned.n_cols, Inches(1), Inches(4), Inches(8), Inches(2))
    for cell in planned.cells:
        first = frame.table.cell(cell.row, cell.col)
        first.text = "\n".join(cell.lines)
        if (cell.row_span, cell.col_span) != (1, 1):
            first.merge(frame.table.cell(cell.row + cell.row_span - 1, cell.col + cell.col_span - 1))


def write_xlsx(path: Path, parts: Sequence[Part]) -> None:
    """Write each table as a sheet of its own; the last sheet is hidden."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for number, table in enumerate([part for part in parts if isinstance(part, PlannedTable)], 1):
        sheet = book.create_sheet(f"Sheet qs{number:03d}x")
        for cell in table.cells:
            sheet.cell(cell.row + 1, cell.col + 1, "\n".join(cell.lines))
            if (cell.row_span, cell.col_span) != (1, 1):
                sheet.merge_cells(
                    start_row=cell.row + 1,
                    start_column=cell.col + 1,
                    end_row=cell.row + cell.row_span,
                    end_column=cell.col + cell.col_span,
                )
    hidden = book.create_sheet("Hidden")
    hidden["A1"], hidden.sheet_state = "not to be seen", "hidden"
    book.save(path)


def write_odt(path: Path, parts: Sequence[Part]) -> None:
    _open_document(path, "text", f"<office:text>{_odf(parts)}</office:text>")


def write_odp(path: Path, parts: Sequence[Part]) -> None:
    """Write a slide for each heading."""
    pages = "".join(_odp_page(number, section) for number, section in enumerate(sections(parts), 1))
    _open_document(path, "presentation", f"<office:presentation>{pages}</office:presentation>")


def _odp_page(number: int, parts: Sequence[Part]) -> str:
    size = 'svg:x="2cm" svg:y="{}cm" svg:width="20cm" svg:height="4cm"'
    title = f"<text:p>{escape(parts[0].text)}</text:p>" if isinstance(parts[0], Heading) else ""
    body = _odf([part for part in parts[1:] if not isinstance(part, PlannedTable)])
    box = '<draw:frame presentation:class="{}" {}><draw:text-box>{}</draw:text-box></draw:frame>'
    frames = box.format("title", size.format(1), title)
    if body:
        frames += box.format("outline", size.format(6), body)
    for part in parts:
        if isinstance(part, PlannedTable):
            frames += f"<draw:frame {size.format(12)}>{_odf_table(part)}</draw:frame>"
    return f'<draw:page draw:name="page{number}">{frames}</draw:page>'


def write_ods(path: Path, parts: Sequence[Part]) -> None:
    tables = [part for part in parts if isinstance(part, PlannedTable)]
    sheets = "".join(_odf_table(table, f"Sheet qs{number:03d}x") for number, table in enumerate(tables, 1))
    _open_document(path, "spreadsheet", f"<office:spreadsheet>{sheets}</office:spreadsheet>")


def _odf(parts: Sequence[Part]) -> str:
    text = ""
    for is_item, members in groupby(parts, key=lambda part: isinstance(part, Item)):
        if is_item:
            text += _odf_lists([part for part in members if isinstance(part, Item)])
            continue
        for part in members:
            match part:
                case Heading():
                    text += f'<text:h text:outline-level="{part.level}">{escape(part.text)}</text:h>'
                case PlannedTable():
                    text += _odf_table(part)
                case Paragraph() | Item():
                    text += f"<text:p>{escape(part.text)}</text:p>"
    return text


def _odf_lists(items: Sequence[Item]) -> str:
    text, depth = "", 0
    for item in items:
        while depth > item.depth + 1:
            text, depth = f"{text}</text:list-item></text:list>", depth - 1
        if depth == item.depth + 1:
            text += "</text:list-item>"
        else:
            text, depth = f'{text}<text:list text:style-name="{"L2" if item.number else "L1"}">', depth + 1
        text += f"<text:list-item><text:p>{escape(item.text)}</text:p>"
    return text + "</text:list-item></text:list>" * depth


def _odf_table(table: PlannedTable, name: str = "T") -> str:
    rows = "".join(_odf_row(table, row) for row in range(table.n_rows))
    columns = f'<table:table-column table:number-columns-repeated="{table.n_cols}"/>'
    return f'<table:table table:name="{name}">{columns}{rows}</table:table>'


def _odf_row(table: PlannedTable, row: int) -> str:
    cells = ""
    for col in range(table.n_cols):
        if table.covers(row, col):
            cells += "<table:covered-table-cell/>"
            continue
        cell = table.at(row, col) or PlannedCell((), row, col)
        inner = "".join(f"<text:p>{escape(line)}</text:p>" for line in cell.lines)
        spans = f'table:number-columns-spanned="{cell.col_span}" table:number-rows-spanned="{cell.row_span}"'
        cells += f'<table:table-cell {spans} office:value-type="string">{inner}</table:table-cell>'
    return f"<table:table-row>{cells}</table:table-row>"


def _open_document(path: Path, kind: str, body: str) -> None:
    mimetype = f"application/vnd.oasis.opendocument.{kind}"
    content = (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document-content {_SPACES} {_SIZES} office:version="1.3">'
        f"<office:automatic-styles>{_LISTS}</office:automatic-styles><office:body>{body}</office:body></office:document-content>"
    )
    manifest = (
        '<?xml version="1.0"?><manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
        f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{mimetype}"/>'
        '<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml"/></manifest:manifest>'
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("mimetype"), mimetype)
        archive.writestr("content.xml", content)
        archive.writestr("META-INF/manifest.xml", manifest)


WRITERS: Mapping[str, Callable[[Path, Sequence[Part]], None]] = {
    "docx": write_docx,
    "pptx": write_pptx,
    "xlsx": write_xlsx,
    "odt": write_odt,
    "odp": write_odp,
    "ods": write_ods,
    "rtf": write_rtf,
    "html": write_html,
    "epub": write_epub,
    "md": write_markdown,
    "csv": write_csv,
    "txt": write_text,
    "eml": write_eml,
}
"""By extension."""
