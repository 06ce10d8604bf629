"""What several engines made of the same documents -> one HTML page that needs nothing else: a column each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import zip_longest

from octavo.documents import Document
from octavo.render.html import POLICY, STYLE, page_sections

_STYLE = """
main { max-width: none; }
.engines { display: grid; grid-auto-columns: minmax(22rem, 1fr); grid-auto-flow: column; gap: 1rem; overflow-x: auto; }
.engines section, .engines .none { padding: 1rem 1.25rem; font-size: 0.875rem; overflow-x: auto; }
.costs { background: #fff; }
"""


@dataclass(frozen=True, slots=True)
class Compared:
    """What one engine made of one document: what was read, or why not, and how long it took."""

    engine: str
    version: str
    seconds: float
    document: Document | None = None
    images: tuple[bytes, ...] = ()
    error: str | None = None

    @property
    def seconds_per_page(self) -> float | None:
        """Return what a page took of one core, on average; None if nothing was read."""
        return self.seconds / self.document.page_count if self.document else None


def render_comparison(documents: Sequence[tuple[str, Sequence[Compared]]]) -> str:
    """Return the page; `documents` are names, each with what the engines made of it, in one order of engines."""
    body = "\n".join(part for name, compared in documents for part in _document(name, compared))
    return (
        "<!DOCTYPE html>\n"
        '<html><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>Engines side by side</title><style>{STYLE}{_STYLE}</style></head>\n"
        f"<body><main>\n{body}\n</main></body></html>\n"
    )


def _document(name: str, compared: Sequence[Compared]) -> Iterator[str]:
    yield f"<h1>{escape(name)}</h1>"
    yield '<table class="costs"><tr><th>engine</th><th>seconds a page</th><th>pages an hour of a core</th>'
    yield "<th>headings</th><th>tables</th><th>figures</th><th>characters</th></tr>"
    yield from map(_costs, compared)
    yield "</table>"
    columns = [page_sections(each.document, each.images) if each.document else [_failed(each)] for each in compared]
    for page_no, row in enumerate(zip_longest(*columns, fillvalue='<div class="none"></div>'), start=1):
        yield f'<h2>Page {page_no}</h2><div class="engines">'
        yield from (
            f"<div><h3>{escape(each.engine)}</h3>{part}</div>" for each, part in zip(compared, row, strict=True)
        )
        yield "</div>"


def _costs(compared: Compared) -> str:
    name = f"<td>{escape(compared.engine)} <small>{escape(compared.version)}</small></td>"
    document, seconds = compared.document, compared.seconds_per_page
    if document is None or seconds is None:
        return f'<tr>{name}<td class="failed" colspan="6">{escape(compared.error or "")}</td></tr>'
    headings = sum(block.role in ("title", "heading") for block in document.blocks)
    characters = sum(len(block.text) for block in document.blocks)
    hour = f"{3600 / seconds:,.0f}" if seconds else ""
    figures = (f"{seconds:.3f}", hour, headings, len(document.tables), len(document.figures), f"{characters:,}")
    return f"<tr>{name}{''.join(f'<td>{figure}</td>' for figure in figures)}</tr>"


def _failed(compared: Compared) -> str:
    return f'<div class="none"><p class="failed">{escape(compared.error or "")}</p></div>'
