"""How close the `fast` engine comes to the speed of PyMuPDF when nothing is done with the text.

    python -m bench.reading_speed [--pages N] [--scorecard]

Draws a PDF of plain prose, and reads it in this process: once by bare `get_text("dict")`, once by each engine
named, CPU seconds of the best of three rounds. No tables, no images, no child, no storage.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.scorecard import write_scorecard
from octavo.engines.contract import Limits, Source
from octavo.engines.drawing import BODY, Sheets
from octavo.engines.mupdf import pymupdf
from octavo.engines.registry import EngineRegistry
from octavo.engines.sandbox import garbage_collection
from octavo.parse_options import ParseOptions

ROUNDS = 3
SENTENCES = (
    "Printing from movable type began with letters that were cut in steel and struck into copper.",
    "A sheet was damped before it went to press, since dry paper takes the ink unevenly.",
    "Eight leaves were folded from one sheet, and the book that came of them had its name from that.",
)


class _Silent:
    def counted(self, pages: int) -> None:
        pass

    def working(self, pages: int) -> None:
        pass


def draw(path: Path, pages: int) -> None:
    sheets = Sheets()
    for number in range(pages):
        sheet = sheets.page()
        for paragraph in range(6):
            sheet.text(" ".join(SENTENCES[(number + paragraph + step) % 3] for step in range(6)), BODY)
    sheets.save(path)
    with pymupdf.open(path) as document:
        for page in document:
            # One content stream a page, as programs that write PDFs make it.
            page.clean_contents()
        document.saveIncr()


def best(work: Callable[[], None]) -> float:
    spent = []
    for _ in range(ROUNDS):
        before = time.process_time()
        work()
        spent.append(time.process_time() - before)
    return min(spent)


def bare(path: Path) -> None:
    with pymupdf.open(path) as document:
        for page in document:
            page.get_text("dict")


def read(path: Path, engine: str, folder: Path) -> None:
    reader = EngineRegistry.installed().resolve(engine)
    reader.extract(Source(path), ParseOptions(), Limits(), _Silent(), folder)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=200)
    parser.add_argument("--engines", default="fast,auto")
    parser.add_argument("--scorecard", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        path = folder / "prose.pdf"
        draw(path, arguments.pages)
        limit = arguments.pages / best(lambda: bare(path))
        figures: dict[str, object] = {"pages": arguments.pages, "bare_pages_per_cpu_second": round(limit, 1)}
        for engine in arguments.engines.split(","):
            EngineRegistry.installed().resolve(engine).preload()
            # As in the process from which children are forked.
            garbage_collection.tune_for_forking()
            rate = arguments.pages / best(lambda engine=engine: read(path, engine, folder))  # type: ignore[misc]
            figures[engine] = {"pages_per_cpu_second": round(rate, 1), "share_of_bare": round(rate / limit, 3)}
    print(json.dumps(figures, indent=1))
    if arguments.scorecard:
        print(write_scorecard("reading_speed", figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
