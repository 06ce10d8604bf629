"""Pages with ground truth, from the two kinds of folders that the quality bench reads."""

import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Sample:
    """A PDF and what should be found: Markdown by page number; tables stand in it as HTML."""

    name: str
    pdf: Path
    pages: dict[int, str]


def typeset_pages(folder: Path) -> Iterator[Sample]:
    """Yield single pages: `pdf/NAME.pdf` with `truth/NAME.md`."""
    for pdf in sorted((folder / "pdf").glob("*.pdf")):
        truth = folder / "truth" / f"{pdf.stem}.md"
        yield Sample(pdf.stem, pdf, {1: truth.read_text(encoding="utf-8")})


def reports_with_tables(folder: Path) -> Iterator[Sample]:
    """Yield reports in the form of the ICDAR 2013 table competition: `NAME.pdf` with `NAME-str.xml`."""
    for pdf in sorted(folder.glob("*.pdf")):
        tables: dict[int, list[str]] = defaultdict(list)
        for structure in sorted(folder.glob(f"{pdf.stem}*-str.xml")):
            for page_no, html in _tables(structure):
                tables[page_no].append(html)
        yield Sample(pdf.stem, pdf, {page_no: "\n".join(tables[page_no]) for page_no in sorted(tables)})


def _tables(structure: Path) -> Iterator[tuple[int, str]]:
    # These files lie on the measurer's own disk.
    for region in ET.parse(structure).getroot().iter("region"):  # noqa: S314
        yield int(region.attrib["page"]), _html(region)


def _html(region: ET.Element) -> str:
    rows: dict[int, dict[int, str]] = defaultdict(dict)
    taken: set[tuple[int, int]] = set()
    cells = list(region.iter("cell"))
    for cell in cells:
        row, col = int(cell.attrib["start-row"]), int(cell.attrib["start-col"])
        end_row, end_col = int(cell.get("end-row", row)), int(cell.get("end-col", col))
        spans = f' rowspan="{end_row - row + 1}"' if end_row > row else ""
        spans += f' colspan="{end_col - col + 1}"' if end_col > col else ""
        text = " ".join(" ".join(content.text or "" for content in cell.iter("content")).split())
        rows[row][col] = f"<td{spans}>{escape(text)}</td>"
        taken |= {(r, c) for r in range(row, end_row + 1) for c in range(col, end_col + 1)}
    # The competition's files leave out empty cells.
    last_row, last_col = (max((place[axis] for place in taken), default=-1) for axis in (0, 1))
    for place in ((r, c) for r in range(last_row + 1) for c in range(last_col + 1)):
        if place not in taken:
            rows[place[0]][place[1]] = "<td></td>"
    lines = ("".join(cells for _, cells in sorted(rows[row].items())) for row in range(last_row + 1))
    return f"<table>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"
