"""Small documents for benches, all different, and how they get into a stack."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.latency import stage
from octavo.client.customer import CustomerClient
from octavo.engines.drawing import HEADING, Sheets

UPLOADS_AT_ONCE = 8


def one_page_pdfs(folder: Path, count: int) -> list[Path]:
    """Draw so many PDFs of one page: a heading and three paragraphs, each with the page's number in it."""
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


def distinct_texts(folder: Path, count: int) -> list[Path]:
    """Write so many short texts for the sleeping engine, whose results are told apart by their bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"text-{number:05}.txt" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_text(f"Line {number} for the sleeping engine.\n")
    return paths


def upload(client: CustomerClient, paths: list[Path]) -> list[str]:
    """Stage and upload these files; returns their ids in the same order."""
    with ThreadPoolExecutor(UPLOADS_AT_ONCE) as pool:
        return list(pool.map(lambda path: stage(client, path), paths))
