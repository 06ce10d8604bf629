"""What part a paragraph plays, told by font sizes, weight, place on the page and how its text begins.

Sizes are compared with the body size: the size in which most characters of the document are set.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from octavo.documents import Box, Role
from octavo.engines.pages.draft import PageDraft
from octavo.engines.pages.roles.captions import begins_caption, beside_caption_target
from octavo.engines.pages.text.paragraphs import BULLET, Paragraph, is_tabular
from octavo.engines.pages.thresholds.pipeline import PipelineThresholds
from octavo.engines.pages.thresholds.roles import ParagraphRoleThresholds

_PAGE_NUMBER = re.compile(
    r"^\W*(?:(?:page|seite|p\.)\s*)?(?:\d{1,4}|[ivxlc]{1,6})(?:\s*(?:of|/|von)\s*\d{1,4})?\W*$", re.I
)
_NUMBERED = re.compile(r"^(\d{1,2}(?:\.\d{1,2}){0,4})\.?\s+\S")
_NUMBERED_PART = re.compile(r"^\d{1,2}(?:\.\d{1,2}){1,4}\.?\s+[A-Z]")
_CAPITALS = re.compile(r"^(?=(?:[^A-Z]*[A-Z]){6})[A-Z][^a-z]*\s[^a-z]+$")
NOTE = re.compile(r"^(?:\d{1,2}|[*\u2020\u2021])\s?\S")
_LETTERS = re.compile(r"[^\W\d_]")
_DIGITS = re.compile(r"\d+")
_FORMULA_SIGNS = re.compile(r"[=\u2211\u222b\u221a\u2264\u2265\u00b1\u00d7\u2202\u221e\u2248\u03b1-\u03c9]")


@dataclass(frozen=True, slots=True)
class AssignedRole:
    """A role and, for headings, its level."""

    role: Role
    level: int | None = None


@dataclass(frozen=True, slots=True)
class DocumentStyle:
    """What roles depend on beyond the paragraph: sizes of the document, texts that every page repeats."""

    body: float
    body_bold: bool
    heading_sizes: tuple[float, ...]
    title: tuple[int, int] | None
    repeated: frozenset[str]


def document_style(pages: Sequence[PageDraft], thresholds: PipelineThresholds) -> DocumentStyle:
    """Look through the whole document once."""
    rule = thresholds.roles.paragraphs
    sizes: Counter[float] = Counter()
    bold = total = 0
    for _, _, paragraph in _paragraphs(pages):
        characters = len(paragraph.text)
        sizes[_rounded(paragraph.size)] += characters
        total += characters
        bold += characters if paragraph.bold else 0
    body = sizes.most_common(1)[0][0] if sizes else rule.default_size
    body_bold = bold > total / 2
    draft = DocumentStyle(body, body_bold, (), None, _repeated(pages, rule))
    larger = {
        _rounded(paragraph.size)
        for page, _, paragraph in _paragraphs(pages)
        if _looks_like_heading(paragraph, draft, thresholds) and not in_margin(paragraph.box, page, rule)
    }
    heading_sizes = tuple(sorted(larger, reverse=True))
    return DocumentStyle(body, body_bold, heading_sizes, _title(pages, heading_sizes, body, rule), draft.repeated)


def role_of(
    paragraph: Paragraph, page: PageDraft, index: int, style: DocumentStyle, thresholds: PipelineThresholds
) -> AssignedRole:
    """Return the role of a paragraph; `index` is its place among the page's contents."""
    if paragraph.label is not None:
        return _labelled(paragraph, page, index, style, thresholds)
    return _plain(paragraph, page, index, style, thresholds)


def _labelled(
    paragraph: Paragraph, page: PageDraft, index: int, style: DocumentStyle, thresholds: PipelineThresholds
) -> AssignedRole:
    """Return the role by what a layout model says, where what is known of the document does not know better."""
    plain = _plain(paragraph, page, index, style, thresholds)
    match paragraph.label:
        case "section-header" | "title":
            if paragraph.text[:1].islower() or not _LETTERS.search(paragraph.text):
                return AssignedRole("paragraph")
            if begins_caption(paragraph.text) and beside_caption_target(
                paragraph.box, page.contents, thresholds.roles.captions
            ):
                return AssignedRole("caption")
            if plain.role in ("title", "heading"):
                return plain
            return AssignedRole("heading", _level(paragraph, style, thresholds.roles.paragraphs))
        case "page-header" | "page-footer":
            if plain.role == "page_number" or _PAGE_NUMBER.match(paragraph.text):
                return AssignedRole("page_number")
            return AssignedRole("header" if paragraph.label == "page-header" else "footer")
        case "list-item":
            return AssignedRole("list_item")
        case "caption" | "footnote" | "formula":
            return AssignedRole(paragraph.label)
    return AssignedRole("paragraph") if plain.role == "heading" else plain


def _plain(
    paragraph: Paragraph, page: PageDraft, index: int, style: DocumentStyle, thresholds: PipelineThresholds
) -> AssignedRole:
    rule = thresholds.roles.paragraphs
    text = paragraph.text
    marginal = _marginal(paragraph, page, style, rule)
    if marginal is not None:
        return marginal
    if (page.page.page_no, index) == style.title:
        return AssignedRole("title")
    if begins_caption(text) and beside_caption_target(paragraph.box, page.contents, thresholds.roles.captions):
        return AssignedRole("caption")
    if paragraph.mono and len(paragraph.rows) > 1:
        return AssignedRole("code")
    if _looks_like_heading(paragraph, style, thresholds):
        return AssignedRole("heading", _level(paragraph, style, rule))
    if BULLET.match(text):
        return AssignedRole("list_item")
    low = paragraph.box.y0 > (1 - rule.foot_share) * page.page.height
    if low and paragraph.size <= rule.smaller * style.body and NOTE.match(text):
        return AssignedRole("footnote")
    if len(paragraph.rows) == 1 and _is_formula(text):
        return AssignedRole("formula")
    return AssignedRole("paragraph")


def _marginal(
    paragraph: Paragraph, page: PageDraft, style: DocumentStyle, thresholds: ParagraphRoleThresholds
) -> AssignedRole | None:
    """Return the role of what only the margin of a page holds."""
    if not in_margin(paragraph.box, page, thresholds):
        return None
    if _PAGE_NUMBER.match(paragraph.text):
        return AssignedRole("page_number")
    if _pattern(paragraph.text) in style.repeated:
        return AssignedRole("header" if paragraph.box.y0 < page.page.height / 2 else "footer")
    # A running head that stands on one page only is not told from text; but a heading it is not.
    return None if paragraph.size >= thresholds.larger * style.body else AssignedRole("paragraph")


def in_margin(box: Box, page: PageDraft, thresholds: ParagraphRoleThresholds) -> bool:
    """Tell whether a box lies in the strip at the head or foot of its page."""
    return (
        box.y1 < thresholds.margin_share * page.page.height or box.y0 > (1 - thresholds.margin_share) * page.page.height
    )


def _looks_like_heading(paragraph: Paragraph, style: DocumentStyle, thresholds: PipelineThresholds) -> bool:
    rule = thresholds.roles.paragraphs
    text = paragraph.text
    if (
        len(paragraph.rows) > rule.max_heading_rows
        or len(text) > rule.max_heading_characters
        or not _LETTERS.search(text)
    ):
        return False
    if (
        not paragraph.upright
        or len(text) < rule.min_heading_characters
        or any(is_tabular(row, thresholds.text.paragraphs) for row in paragraph.rows)
    ):
        return False
    if paragraph.confidence is not None:
        # Recognised text has rough sizes and no weight.
        larger = paragraph.size >= rule.scan_larger * style.body
        return larger and not BULLET.match(text) and not text[0].islower()
    if paragraph.size >= rule.larger * style.body:
        return True
    ended = text.endswith((".", ",", ";"))
    if paragraph.bold and not style.body_bold and paragraph.size >= rule.min_bold_size * style.body:
        short = len(text) <= rule.max_bold_characters and len(paragraph.rows) <= rule.max_bold_rows
        return short and (not ended or bool(_CAPITALS.match(text))) and not begins_caption(text)
    if paragraph.size < rule.min_plain_size * style.body or ended:
        return False
    marked = _CAPITALS.match(text) or _NUMBERED_PART.match(text)
    return bool(marked) and len(paragraph.rows) == 1 and len(text) <= rule.max_plain_characters


def _level(paragraph: Paragraph, style: DocumentStyle, thresholds: ParagraphRoleThresholds) -> int:
    numbered = _NUMBERED.match(paragraph.text)
    depth = numbered.group(1).count(".") + 1 if numbered else 0
    sizes = style.heading_sizes
    size = _rounded(paragraph.size)
    rank = sizes.index(size) + 1 if size in sizes else len(sizes) + 1
    return min(max(rank, depth, 1), thresholds.max_level)


def _title(
    pages: Sequence[PageDraft], sizes: tuple[float, ...], body: float, thresholds: ParagraphRoleThresholds
) -> tuple[int, int] | None:
    """Return the page and place of the title: the one largest text, in the upper half of the first page."""
    if not sizes or sizes[0] < thresholds.title_larger * body:
        return None
    largest = [
        (page.page.page_no, index, paragraph.box.y0 < page.page.height / 2)
        for page, index, paragraph in _paragraphs(pages)
        if _rounded(paragraph.size) == sizes[0]
    ]
    if len(largest) != 1 or largest[0][0] != 1 or not largest[0][2]:
        return None
    return largest[0][0], largest[0][1]


def _repeated(pages: Sequence[PageDraft], thresholds: ParagraphRoleThresholds) -> frozenset[str]:
    """Return the patterns of margin texts that stand on at least two pages and a third of all."""
    seen: Counter[str] = Counter()
    for page in pages:
        on_page = {
            _pattern(content.text)
            for content in page.contents
            if isinstance(content, Paragraph) and in_margin(content.box, page, thresholds)
        }
        seen.update(on_page)
    return frozenset(
        text
        for text, count in seen.items()
        if count >= thresholds.min_repeats and count * thresholds.max_pages_per_repeat >= len(pages)
    )


def _pattern(text: str) -> str:
    return _DIGITS.sub("#", text).strip().lower()


def _is_formula(text: str) -> bool:
    signs = len(_FORMULA_SIGNS.findall(text))
    words = len(re.findall(r"[^\W\d_]{4,}", text))
    return signs >= 1 and "=" in text and words == 0


def _paragraphs(pages: Sequence[PageDraft]) -> Iterable[tuple[PageDraft, int, Paragraph]]:
    for page in pages:
        for index, content in enumerate(page.contents):
            if isinstance(content, Paragraph):
                yield page, index, content


def _rounded(size: float) -> float:
    return round(size * 2) / 2
