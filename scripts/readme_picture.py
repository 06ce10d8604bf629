"""Draw `docs/report-boxes.png`, the picture in the README: a sample page with the boxes of its result.

    python -m scripts.readme_picture

The page is `report.pdf` of `octavo/samples.py`, the boxes are what `octavo extract` says of it.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from octavo.engines.mupdf import PdfPage, pymupdf
from octavo.samples import make_report

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "report-boxes.png"
SHOWN_POINTS = pymupdf.Rect(40, 60, 555, 444)
"""The part of page 1 that is shown: everything between its top and its last list item."""
DPI = 110
COLOURS = {"title": (0.75, 0.1, 0.1), "heading": (0.75, 0.1, 0.1), "table": (0.05, 0.4, 0.75)}
OTHER_COLOUR = (0.1, 0.5, 0.25)


def extracted(file: Path) -> list[dict[str, Any]]:
    """Return the chunks of a document, as the command line prints them."""
    command = [str(Path(sys.executable).with_name("octavo")), "extract", str(file), "--format", "json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    chunks: list[dict[str, Any]] = json.loads(done.stdout)["chunks"]
    return chunks


def draw(page: PdfPage, chunk: dict[str, Any]) -> None:
    """Draw one chunk's box, its cells where it is a table, and its role."""
    role = chunk.get("role", chunk["chunk_type"])
    colour = COLOURS.get(role, OTHER_COLOUR)
    for cell in chunk.get("cells", ()):
        x0, y0, x1, y1 = cell["bbox"]
        page.draw_rect(pymupdf.Rect(x0 + 2, y0 + 2, x1 - 2, y1 - 2), color=colour, width=0.4)
    x0, y0, x1, y1 = chunk["bbox"]
    box = pymupdf.Rect(x0 - 2, y0 - 1, x1 + 2, y1 + 1)
    page.draw_rect(box, color=colour, width=0.8)
    page.insert_text((box.x1 + 3, box.y0 + 7), role, fontsize=7, color=colour)


def main() -> None:
    """Write the picture."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "report.pdf"
        make_report(file)
        with pymupdf.open(file) as document:
            page = document[0]
            for chunk in extracted(file):
                if chunk["page_no"] == 1:
                    draw(page, chunk)
            page.get_pixmap(clip=SHOWN_POINTS, dpi=DPI).pil_save(PICTURE, optimize=True)
    print(f"wrote docs/{PICTURE.name}")


if __name__ == "__main__":
    main()
