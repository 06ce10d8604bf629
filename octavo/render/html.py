"""Document -> one complete HTML page that needs nothing else and runs no script."""

import base64
from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby

from octavo.documents import Block, Content, Document, Figure, Page, Table
from octavo.render.grid import html_table

STYLE = """
body { font: 1rem/1.55 system-ui, sans-serif; color: #1d1d1f; background: #f3f3f1; margin: 0; }
main { max-width: 50rem; margin: 2rem auto; padding: 0 1rem; }
section { background: #fff; padding: 2.5rem 3rem; margin-bottom: 1.5rem; box-shadow: 0 1px 4px #0002; }
h1, h2, h3, h4, h5, h6 { line-height: 1.25; margin: 1.4em 0 0.5em; }
table { border-collapse: collapse; margin: 1.2em 0; }
th, td { border: 1px solid #bbb; padding: 0.3em 0.6em; text-align: left; vertical-align: top; }
th { background: #f0f0ee; }
figure { margin: 1.2em 0; } img { max-width: 100%; height: auto; }
figcaption, .caption, .footnote { font-size: 0.875rem; color: #555; }
.margin { font-size: 0.8rem; color: #888; }
.item { margin: 0.25em 0 0.25em 1.5em; }
.failed { color: #a00; }
pre { background: #f6f6f4; padding: 0.8em; overflow-x: auto; }
"""
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def render_html(document: Document, images: Sequence[bytes] = (), *, title: str = "Document") -> str:
    """Return a page that shows the document; figures are inline where their bytes are given (empty: not)."""
    sections = "\n".join(page_sections(document, images))
    return (
        "<!DOCTYPE html>\n"
        '<html><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n"
        f"<body><main>\n{sections}\n</main></body></html>\n"
    )


def page_sections(document: Document, images: Sequence[bytes] = ()) -> list[str]:
    """Return each page's contents as a `<section>` of its own."""
    by_page = {
        page_no: list(contents)
        for page_no, contents in groupby(document.content(), key=lambda content: content.page_no)
    }
    return ["\n".join(_section(page, by_page.get(page.page_no, []), images)) for page in document.pages]


def _section(page: Page, contents: Sequence[Content], images: Sequence[bytes]) -> Iterator[str]:
    yield f'<section id="page-{page.page_no}">'
    if page.error is not None:
        yield f'<p class="failed">Page {page.page_no} could not be read: {escape(page.error)}</p>'
    for content in contents:
        match content:
            case Block():
                yield _block(content)
            case Table():
                yield html_table(content)
            case Figure():
                yield _figure(content, images)
    yield "</section>"


def _block(block: Block) -> str:
    text = escape(block.text)
    match block.role:
        case "title":
            return f"<h1>{text}</h1>"
        case "heading":
            return f"<h{block.level}>{text}</h{block.level}>"
        case "code":
            return f"<pre>{text}</pre>"
        case "list_item":
            return f'<p class="item">{text}</p>'
        case "caption" | "footnote":
            return f'<p class="{block.role}">{text}</p>'
        case "header" | "footer" | "page_number":
            return f'<p class="margin">{text}</p>'
        case _:
            return f"<p>{text}</p>"


def _figure(figure: Figure, images: Sequence[bytes]) -> str:
    alternative = escape(figure.caption or "Figure", quote=True)
    if figure.image_index >= len(images) or not images[figure.image_index]:
        return f"<figure>[{alternative}]</figure>"
    data = base64.b64encode(images[figure.image_index]).decode("ascii")
    source = f"data:{escape(figure.mime, quote=True)};base64,{data}"
    return f'<figure><img alt="{alternative}" src="{source}"></figure>'
