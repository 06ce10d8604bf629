"""Whether office documents come out whole: `python -m bench.formats [--data DIR]`.

A made-up document with known headings, lists, tables and spans is written in every format and read through the
sandbox. Each heading, list item, paragraph and line of a cell must stand in the Markdown once, a heading as a heading,
an item as an item, in the order of the document; cells keep their spans where the format has any. With `--data`, the
files of a folder are read too, and beside each that has a `.expected.md` it is told which share of that one's words
came out: another converter's output, a hint only. Exits 1 if anything of the made-up documents is missing.
"""

import argparse
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.office_files import WRITERS
from bench.office_plan import Heading, Item, Paragraph, Part, PlannedTable, plan, texts
from bench.scorecard import write_scorecard
from octavo.documents import Document
from octavo.engines.contract import Limits, Source
from octavo.engines.registry import EngineRegistry
from octavo.errors import DocumentError
from octavo.extraction.extraction import Extraction
from octavo.extraction.extractor import Extractor
from octavo.parse_options import ParseOptions
from octavo.render.markdown import render_markdown

TYPES = {"md": "text/markdown", "csv": "text/csv", "txt": "text/plain", "html": "text/html", "eml": "message/rfc822"}
TABLES_ONLY = frozenset({"xlsx", "ods", "csv"})
WITHOUT_SPANS = frozenset({"rtf", "md", "csv", "txt"})
SLIDES = frozenset({"pptx", "odp"})


@dataclass(frozen=True, slots=True)
class Seen:
    """How one generated document was read."""

    parts: int
    missing: tuple[str, ...]
    seconds: float


def wanted(extension: str) -> list[Part]:
    """Return the parts that a format can hold, in the order in which it holds them."""
    parts = plan()
    if extension == "txt":
        return [part for part in parts if isinstance(part, Paragraph | Item)]
    if extension in TABLES_ONLY:
        tables: list[Part] = [part for part in parts if isinstance(part, PlannedTable)]
        return tables[:1] if extension == "csv" else tables
    return parts


def trouble(extension: str, markdown: str, document: Document) -> list[str]:
    """Return what differs from what was written."""
    parts = wanted(extension)
    lines = [line.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") for line in markdown.splitlines()]
    whole = "\n".join(lines)
    counts = Counter(re.findall(r"qz\d+x", whole))
    found = [f"{text!r} is there {counts[text[-6:]]} times" for text in texts(parts) if counts[text[-6:]] != 1]
    found += [f"{text!r} came out otherwise" for text in texts(parts) if text not in whole]
    found += list(_wrong_roles(extension, parts, lines))
    if extension not in SLIDES and not found:
        order = [whole.index(text) for text in texts(parts)]
        found += [] if order == sorted(order) else ["the order is another"]
    if extension not in WITHOUT_SPANS:
        found += list(_wrong_spans(parts, document))
    return found


def _wrong_roles(extension: str, parts: Sequence[Part], lines: Sequence[str]) -> Iterator[str]:
    for part in parts:
        if isinstance(part, Heading):
            depth = 1 if extension in SLIDES else part.level
            if f"{'#' * depth} {part.text}" not in lines:
                yield f"{part.text!r} is no heading of level {depth}"
        elif isinstance(part, Item):
            mark = r"\d+\." if part.number and extension != "pptx" else "-"
            if not any(re.fullmatch(rf"\s*{mark} {re.escape(part.text)}", line) for line in lines):
                yield f"{part.text!r} is no item of a list"


def _wrong_spans(parts: Sequence[Part], document: Document) -> Iterator[str]:
    cells = {" ".join(cell.text.split()): cell for table in document.tables for cell in table.cells if cell.text}
    for part in parts:
        for planned in part.cells if isinstance(part, PlannedTable) else ():
            cell = cells.get(" ".join(planned.lines))
            place = (planned.row, planned.col, planned.row_span, planned.col_span)
            if cell is None or (cell.row, cell.col, cell.row_span, cell.col_span) != place:
                yield f"the cell {planned.lines} is not at {place}"


def extract(extractor: Extractor, path: Path) -> Extraction:
    """Read a file as one that was declared by its name and type."""
    return extractor.extract(Source(path, filename=path.name, content_type=TYPES.get(path.suffix[1:])), ParseOptions())


def made_up(extractor: Extractor, folder: Path) -> dict[str, Seen]:
    found = {}
    for extension, write in WRITERS.items():
        path = folder / f"made.{extension}"
        write(path, plan())
        began = time.perf_counter()
        document = extract(extractor, path).document
        seconds = time.perf_counter() - began
        missing = trouble(extension, render_markdown(document), document)
        found[extension] = Seen(len(texts(wanted(extension))), tuple(missing), round(seconds, 3))
    return found


def samples(extractor: Extractor, folder: Path) -> Iterator[dict[str, object]]:
    for path in sorted(path for path in folder.iterdir() if path.is_file() and ".expected." not in path.name):
        row: dict[str, object] = {"file": path.name}
        try:
            document = extract(extractor, path).document
            row |= {"outcome": "ok", "pages": document.page_count, "tables": len(document.tables)}
            hint = path.with_name(path.name + ".expected.md")
            if hint.exists():
                row["share_of_hint"] = shared_words(render_markdown(document), hint.read_text(encoding="utf-8"))
        except DocumentError as error:
            row |= {"outcome": error.code, "detail": error.message[:120]}
        yield row


def shared_words(ours: str, theirs: str) -> float:
    """Return the share of the words in another reader's output that is in ours."""
    have, want = (
        Counter(re.findall(r"\w+", re.sub(r"<!--.*?-->|<[^>]+>|&\w+;", " ", text))) for text in (ours, theirs)
    )
    return round((have & want).total() / max(1, want.total()), 3)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a folder with an `office` folder in it")
    arguments = parser.parse_args()
    with Extractor(processes=1, limits=Limits(), registry=EngineRegistry()) as extractor, TemporaryDirectory() as made:
        extractor.warm_up()
        found = made_up(extractor, Path(made))
        rows = list(samples(extractor, arguments.data / "office")) if arguments.data else []
    for extension, seen in found.items():
        print(
            f"{extension:5} {seen.parts:3} texts  {seen.seconds:6.3f} s  {'; '.join(seen.missing) or 'all there, once'}"
        )
    for row in rows:
        print("  ".join(str(value) for value in row.values()))
    figures = {
        "made_up": {name: {"texts": s.parts, "missing": len(s.missing)} for name, s in found.items()},
        "samples": rows,
    }
    print(f"written to {write_scorecard('formats', figures)}")
    return 1 if any(seen.missing for seen in found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
