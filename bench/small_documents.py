"""Small documents for benches, all different, and functions to send them to a stack."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.latency import stage
from octavo.client.customer import CustomerClient
from octavo.engines.drawing import HEADING, TITLE, Sheets

UPLOADS_AT_ONCE = 8
PROSE = (
    "The stations were visited in spring and again in autumn, each time by two persons who did not know what the "
    "other had written down. Where their notes differed by more than a tenth, a third visit decided. Water was "
    "taken at a depth of one metre, kept cold, and looked at within two days; what could not be looked at in time "
    "was thrown away and is counted as missing. None of the stations was moved between the visits, and the "
    "weather of the days before is given in the appendix. The figures in the table are rounded after the sums "
    "were made, so that rows need not add up to what stands below them."
)


def one_page_pdfs(folder: Path, count: int) -> list[Path]:
    """Draw a number of one-page PDFs: a heading and three paragraphs, each with the page's number in it."""
    folder.mkdir(parents=True, exist_ok=True)
    return [_one_page_pdf(folder / f"page-{number:05}.pdf", number) for number in range(count)]


def _one_page_pdf(path: Path, number: int) -> Path:
    sheets = Sheets()
    page = sheets.page()
    page.text(f"Letter {number}", HEADING)
    for paragraph in ("first", "second", "third"):
        page.text(
            f"This is the {paragraph} paragraph of letter {number}. It says what letters say: that the writer is "
            "well, that the weather has turned, and that an answer is hoped for before the month is out."
        )
    sheets.save(path)
    return path


def full_page_pdfs(folder: Path, count: int) -> list[Path]:
    """Draw a number of one-page office PDFs: some 2,500 characters under headings, and a ruled table."""
    folder.mkdir(parents=True, exist_ok=True)
    return [_full_page_pdf(folder / f"page-{number:05}.pdf", number) for number in range(count)]


def _full_page_pdf(path: Path, number: int) -> Path:
    sheets = Sheets()
    page = sheets.page()
    page.text(f"Report {number}", TITLE)
    for section, subject in enumerate(("Purpose", "Method", "Findings"), 1):
        page.text(f"{section} {subject}", HEADING)
        page.text(f"{subject} of report {number}. " + PROSE)
    rows = [["Place", "Samples", "Mean", "Share"]]
    rows += [[f"Place {row}", str(number + row), f"{row}.{number % 10}", f"{row * 7} %"] for row in range(1, 8)]
    page.table(rows, [140.0, 100.0, 100.0, 100.0], span_first=False)
    sheets.save(path)
    return path


def copies_of(folder: Path, originals: list[Path], count: int) -> list[Path]:
    """Write a number of PDFs, the originals in turn, each made unique by a comment after the end of the file."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"page-{number:05}.pdf" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(originals[number % len(originals)].read_bytes() + f"\n% copy {number}\n".encode())
    return paths


def distinct_texts(folder: Path, count: int) -> list[Path]:
    """Write a number of short texts for the sleeping engine, each with bytes of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"text-{number:05}.txt" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_text(f"Line {number} for the sleeping engine.\n")
    return paths


def upload(client: CustomerClient, paths: list[Path]) -> list[str]:
    """Stage and upload these files; returns their ids in the same order."""
    with ThreadPoolExecutor(UPLOADS_AT_ONCE) as pool:
        return list(pool.map(lambda path: stage(client, path), paths))
