"""Reading order and headings of the default engine over pages with a known truth.

    python -m bench.quality --data DIR [--out SCORECARD.json]

DIR holds `pdf/NAME.pdf` and `truth/NAME.md`. NID is 1 minus the insert/delete distance of the normalised
plain text over the sum of lengths. Headings: F1 of heading texts, levels aside. Tables right: share of pages
where the number of tables is right.
"""

import argparse
import json
import re
import statistics
import sys
import time
from collections import Counter
from html import unescape
from pathlib import Path

from octavo.documents import Block, Content, Document, Figure, Table
from octavo.engines.contract import ExtractOptions, Limits, Source
from octavo.engines.registry import EngineRegistry
from octavo.extraction.extractor import Extractor
from octavo.render.markdown import render_markdown

_TAGS = re.compile(r"<[^>]+>")
_ESCAPES = re.compile(r"\\([\\`*_\[\]#>+=\-~\d])")
_MARKS = re.compile(r"[#*`|]|^\s*[-\u2022\u00b7]\s+|!\[[^\]]*\]\([^)]*\)|-{3,}", re.M)
_HEADING = re.compile(r"^#{1,6}\s+(.*)$", re.M)


def plain(markdown: str) -> str:
    text = _MARKS.sub(" ", _ESCAPES.sub(r"\1", unescape(_TAGS.sub(" ", markdown))))
    return " ".join(text.split())


def similarity(first: str, second: str) -> float:
    """Return 1 - insert/delete distance over the sum of lengths (longest common subsequence, bit-parallel)."""
    if not first and not second:
        return 1.0
    places: dict[str, int] = {}
    for index, character in enumerate(first):
        places[character] = places.get(character, 0) | 1 << index
    mask = (1 << len(first)) - 1
    row = mask
    for character in second:
        match = row & places.get(character, 0)
        row = ((row + match) | (row - match)) & mask
    common = len(first) - row.bit_count()
    return 2 * common / (len(first) + len(second))


def with_margins(document: Document) -> str:
    """Return Markdown that keeps headers, footers and page numbers, as the truth does."""
    margins = {"header", "footer", "page_number"}
    parts = [
        content.text
        if isinstance(content, Block) and content.role in margins
        else render_markdown(_alone(document, content))
        for content in document.content()
    ]
    return "\n\n".join(parts)


def _alone(document: Document, content: Content) -> Document:
    match content:
        case Block():
            return Document(document.pages, blocks=(content,))
        case Table():
            return Document(document.pages, tables=(content,))
        case Figure():
            return Document(document.pages)


def headings_f1(found: list[str], truth: list[str]) -> float | None:
    if not truth and not found:
        return None
    ours, theirs = Counter(map(_key, found)), Counter(map(_key, truth))
    return 2 * (ours & theirs).total() / (ours.total() + theirs.total())


def _key(heading: str) -> str:
    return re.sub(r"\W+", "", plain(heading)).lower()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    rows = []
    with Extractor(processes=1, limits=Limits(), registry=EngineRegistry()) as extractor:
        extractor.warm_up()
        started = time.monotonic()
        for pdf in sorted((arguments.data / "pdf").glob("*.pdf")):
            document = extractor.extract(Source(pdf), ExtractOptions()).document
            truth = (arguments.data / "truth" / f"{pdf.stem}.md").read_text()
            markdown = with_margins(document)
            rows.append(
                {
                    "page": pdf.stem,
                    "nid": round(similarity(plain(markdown), plain(truth)), 4),
                    "headings": headings_f1(_HEADING.findall(markdown), _HEADING.findall(truth)),
                    "tables": markdown.count("<table") - truth.count("<table"),
                }
            )
        seconds = time.monotonic() - started
    headings = [row["headings"] for row in rows if row["headings"] is not None]
    summary = {
        "pages": len(rows),
        "nid": round(statistics.fmean(float(str(row["nid"])) for row in rows), 4),
        "headings_f1": round(statistics.fmean(float(str(value)) for value in headings), 4),
        "tables_right": sum(row["tables"] == 0 for row in rows) / len(rows),
        "seconds": round(seconds, 1),
    }
    for row in sorted(rows, key=lambda row: float(str(row["nid"])))[:25]:
        print(row)
    print(summary)
    if arguments.out:
        arguments.out.write_text(json.dumps({"summary": summary, "pages": rows}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
