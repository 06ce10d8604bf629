"""The project's own sample documents, drawn by code so that they contain nobody else's work.

python -m octavo.samples DIRECTORY
"""

import sys
from collections.abc import Callable
from pathlib import Path

from octavo.engines.drawing import (
    HEADING,
    SMALL,
    TITLE,
    Sheets,
    bar_chart,
    photographed,
    save_as_scan,
    scanned,
)

SCAN_DPI = 200
SCAN_SKEW_DEGREES = 1.8

REPORT_TITLE = "Water Levels of the Harbour Basin"
REPORT_TABLE = (
    ("Mean level by quarter, in centimetres",),
    ("Quarter", "North gauge", "South gauge"),
    ("Spring", "412", "398"),
    ("Summer", "377", "365"),
    ("Autumn", "405", "391"),
)
REPORT_CAPTION = "Figure 1. Mean level of both gauges by quarter."

LEFT_COLUMN = (
    "The old mill stands where the brook leaves the wood. Its wheel has not turned for forty years, "
    "yet the race is kept clear, because the village draws its water for the gardens from it.",
    "In the dry summer the miller's granddaughter measured the flow every morning. She wrote the numbers "
    "on the inside of the door, where they can still be read beside those of her grandfather.",
)
RIGHT_COLUMN = (
    "When the council asked whether the weir could be taken down, she copied the whole door into a ledger. "
    "The engineers found that the two rows of numbers, eighty years apart, differed by less than a hand.",
    "So the weir stayed. A small turbine hums behind it now, and the wheel has been given new boards, "
    "not because it has any work to do, but because nobody could picture the mill without it.",
)

LETTER = (
    "Dear neighbours,",
    "the bridge over the canal will be closed from Monday until the end of the month. The wooden planks "
    "are worn and must be replaced before winter. Pedestrians may use the lock gate while work goes on; "
    "bicycles have to be pushed.",
    "We have asked the workmen to begin after eight in the morning and to stop before the evening. If the "
    "noise troubles you, please leave a message at the harbour office.",
    "With kind regards, the bridge warden",
)

RECEIPT = (
    "CORNER BAKERY",
    "12 Station Road",
    "Rye bread 4.20",
    "Poppy seed rolls 3.60",
    "Apple tart 12.50",
    "Total 20.30",
    "Paid by card. Thank you for your visit!",
)


def make_report(path: Path) -> None:
    """Two pages: title, headings, list, a ruled table with a spanning cell, a figure, running footers."""
    sheets = Sheets()
    first = sheets.page()
    first.text(REPORT_TITLE, TITLE)
    first.text("1 Purpose", HEADING)
    first.text(
        "Two gauges have recorded the level of the basin since the sluice was rebuilt. This report compares "
        "them over one year and asks whether one gauge alone would be enough for the harbour office."
    )
    first.text("2 Measurements", HEADING)
    first.text("Both gauges were read every morning at six. The quarterly means are these.")
    first.table(REPORT_TABLE, (150, 130, 130), span_first=True)
    first.text("The south gauge reads lower in every quarter, for three reasons:")
    for reason in ("it lies nearer to the sluice,", "its pipe is narrower,", "wind pushes water north."):
        first.text(f"\u2022 {reason}", x=86)
    second = sheets.page()
    second.text("3 Comparison", HEADING)
    second.image(bar_chart((0.92, 0.84, 0.90, 0.87)), 320, 160)
    second.text(REPORT_CAPTION, SMALL)
    second.text(
        "The difference between the gauges stays within fifteen centimetres. It follows the wind rather than "
        "the season, so a single gauge in the middle of the basin would serve the harbour as well as two."
    )
    for number, sheet in enumerate((first, second), start=1):
        sheet.at(72, 806, "Harbour office, annual report", SMALL)
        sheet.at(515, 806, str(number), SMALL)
    sheets.save(path)


def make_two_columns(path: Path) -> None:
    """A heading over two columns; the file draws the right column first, so file order misleads."""
    sheets = Sheets()
    page = sheets.page()
    for x, column in ((309.0, RIGHT_COLUMN), (72.0, LEFT_COLUMN)):
        page.y = 120.0
        for paragraph in column:
            page.text(paragraph, x=x, width=214)
    page.y = 72.0
    page.text("The Mill and the Weir", TITLE)
    sheets.save(path)


def _letter() -> Sheets:
    sheets = Sheets()
    page = sheets.page()
    for paragraph in LETTER:
        page.text(paragraph)
    return sheets


def make_scan(path: Path) -> None:
    """The letter as an image-only PDF, slightly skewed."""
    save_as_scan(scanned(_letter().pixels(0, SCAN_DPI), SCAN_SKEW_DEGREES), path, SCAN_DPI)


def make_photo(path: Path) -> None:
    """A receipt photographed with a phone; a JPEG without a resolution."""
    sheets = Sheets()
    page = sheets.page()
    for line in RECEIPT:
        page.text(line, TITLE)
    photographed(sheets.pixels(0, 130)).save(path, "JPEG", quality=82)


def make_locked(path: Path) -> None:
    """The letter behind a password."""
    _letter().save(path, password="weir")  # noqa: S106  # a sample's password is no secret


def make_damaged(path: Path) -> None:
    """A PDF whose pages were overwritten, which no reader can repair."""
    path.write_bytes(b"%PDF-1.7\n" + bytes(range(256)) * 8 + b"\n%%EOF\n")


def make_text_named_pdf(path: Path) -> None:
    """Plain text, named like a PDF."""
    path.write_text("This is a note. Somebody has given it the wrong name.\n")


SAMPLES: dict[str, Callable[[Path], None]] = {
    "report.pdf": make_report,
    "two-columns.pdf": make_two_columns,
    "scan.pdf": make_scan,
    "photo.jpg": make_photo,
    "locked.pdf": make_locked,
    "damaged.pdf": make_damaged,
    "note.pdf": make_text_named_pdf,
}


def make_samples(directory: Path) -> list[Path]:
    """Write every sample into the directory, which is created if needed, and return the files."""
    directory.mkdir(parents=True, exist_ok=True)
    paths = [directory / name for name in SAMPLES]
    for path, make in zip(paths, SAMPLES.values(), strict=True):
        make(path)
    return paths


if __name__ == "__main__":
    make_samples(Path(sys.argv[1]))
