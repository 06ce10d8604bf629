"""Document -> Markdown in reading order. Tables are HTML, because Markdown grids have no spans."""

import re

from octavo.documents import Block, Content, Document, Figure, Table
from octavo.render.grid import html_table

_MARKS = re.compile(r"([\\`*_\[\]])")
_LINE_START = re.compile(r"^(\s*)(#{1,6}(?=\s|$)|[>+=-]|~{3,}|\d{1,9}[.)](?=\s))")
_BULLET = re.compile(r"^\s*[\u2022\u2023\u25aa\u25cf\u25cb\u25e6\u25a0\u2043\u2219\uf0b7*\u00b7\u2013\u2014-]\s+")
_LETTER_HYPHEN = re.compile(r"[^\W\d_]-$")
_NUMBER = re.compile(r"^\s*(\d{1,9})[.)]\s+")


def render_markdown(document: Document) -> str:
    """Return the document as Markdown; running headers, footers and page numbers are left out."""
    parts: list[str] = []
    previous_was_item = False
    last_text: int | None = None
    for content in document.content():
        part = _part(content)
        if not part:
            continue
        if isinstance(content, Block) and content.role in ("paragraph", "list_item"):
            if content.continues and last_text is not None:
                parts[last_text] = _joined(parts[last_text], part)
                continue
            last_text = len(parts) + bool(parts)
        is_item = isinstance(content, Block) and content.role == "list_item"
        if parts:
            parts.append("\n" if is_item and previous_was_item else "\n\n")
        parts.append(part)
        previous_was_item = is_item
    return "".join(parts) + "\n" if parts else ""


def _joined(text: str, rest: str) -> str:
    """Join the two ends of a paragraph; a word that was broken by a hyphen is made whole."""
    broken = _LETTER_HYPHEN.search(text) and rest[:1].islower()
    return text[:-1] + rest if broken else f"{text} {rest}"


def _part(content: Content) -> str:
    match content:
        case Block():
            return _block(content)
        case Table():
            return html_table(content)
        case Figure():
            # A caption stands in the text as a block of its own.
            return ""


def _block(block: Block) -> str:
    match block.role:
        case "title":
            return f"# {_inline(block.text)}"
        case "heading":
            return f"{'#' * (block.level or 1)} {_inline(block.text)}"
        case "list_item":
            return _list_item(block.text)
        case "code":
            return _fenced(block.text)
        case "caption":
            return f"*{_inline(block.text)}*"
        case "header" | "footer" | "page_number":
            return ""
        case _:
            return _escaped(_one_line(block.text))


def _list_item(text: str) -> str:
    number = _NUMBER.match(text)
    if number:
        return f"{number.group(1)}. {_inline(text[number.end() :])}"
    return f"- {_inline(_BULLET.sub('', text, count=1))}"


def _fenced(text: str) -> str:
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"


def _inline(text: str) -> str:
    return _marks(_one_line(text))


def _escaped(text: str) -> str:
    return _LINE_START.sub(r"\1\\\2", _marks(text))


def _marks(text: str) -> str:
    # Entities rather than backslashes for these: renderers that pass raw HTML through must not see any.
    return _MARKS.sub(r"\\\1", text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _one_line(text: str) -> str:
    return " ".join(text.split())
