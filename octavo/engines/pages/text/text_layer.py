"""The text layer of a PDF page as lines, and whether it can be trusted."""

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from octavo.documents import Box
from octavo.engines.mupdf import PdfPage, PdfTextPage, pymupdf
from octavo.engines.pages.text.lines import TextLine, clean, cover
from octavo.engines.pages.thresholds.text import TextLayerThresholds

_FLAGS = pymupdf.TEXT_PRESERVE_WHITESPACE | pymupdf.TEXT_MEDIABOX_CLIP
_BOLD_FLAG, _MONO_FLAG = 16, 8
_BOLD_NAME = re.compile(r"bold|black|heavy|semibold|demi", re.I)
_UNREADABLE = re.compile("[\ufffd\ue000-\uf8ff\x00-\x08\x0e-\x1f]")
# Directions of writing on a page whose y axis runs down.
_TURNS = {(0, -1): 90, (0, 1): 270, (-1, 0): 180}
_VOWELS, _WORDS = "aeiouy", re.compile("[a-z]{4,}")


def text_page(page: PdfPage) -> PdfTextPage:
    """Return the text of a page as PyMuPDF holds it, from which lines and words are taken."""
    return page.get_textpage(flags=_FLAGS)


def text_lines(page: PdfPage, thresholds: TextLayerThresholds, text: PdfTextPage | None = None) -> list[TextLine]:
    """Return the lines of a page whose rotation has been taken out; invisible text counts as text."""
    lines: list[TextLine] = []
    for block in page.get_text("dict", textpage=text or text_page(page))["blocks"]:
        for line in block.get("lines", ()):
            made = _line(line, thresholds)
            if made is not None:
                lines.append(made)
    return lines


def sideways(page: PdfPage, lines: Sequence[TextLine], thresholds: TextLayerThresholds) -> int:
    """Return by how many degrees clockwise a page must be turned for its text to run from left to right.

    A few words say nothing: pages with little but a picture have labels that run upwards.
    """
    characters = sum(len(line.text) for line in lines)
    if (
        characters < thresholds.enough_letters
        or sum(len(line.text) for line in lines if line.upright) >= thresholds.upright_share * characters
    ):
        return 0
    counted: Counter[int] = Counter()
    for block in page.get_text("dict", flags=_FLAGS)["blocks"]:
        for line in block.get("lines", ()):
            direction = round(line["dir"][0]), round(line["dir"][1])
            counted[_TURNS.get(direction, 0)] += sum(len(span["text"]) for span in line["spans"])
    turn, most = counted.most_common(1)[0]
    return turn if most > (1 - thresholds.upright_share) * counted.total() else 0


def is_usable(lines: Sequence[TextLine], image_cover: float, paths: int, thresholds: TextLayerThresholds) -> bool:
    """Tell whether a page's text layer says what the page shows.

    `image_cover` is the share of the page under images. A page without text is fine if it shows nothing.
    """
    characters = "".join(line.text for line in lines)
    if len(_UNREADABLE.findall(characters)) > thresholds.max_unreadable_share * len(characters):
        return False
    if _is_misspelt(characters.lower(), thresholds):
        return False
    if not characters.strip():
        return image_cover < thresholds.some_cover and paths < thresholds.many_paths
    return len(characters) >= thresholds.few_characters or image_cover < thresholds.scan_cover


def _is_rule(text: str, thresholds: TextLayerThresholds) -> bool:
    """Tell a line that was drawn with underscores from text."""
    return len(text) >= thresholds.min_rule_characters and not text.strip("_ ")


def _is_misspelt(characters: str, thresholds: TextLayerThresholds) -> bool:
    """Tell text of a font whose codes were mapped to the wrong letters: hardly a vowel in it."""
    # Most pages have vowels enough at first sight.
    if sum(map(characters.count, _VOWELS)) >= thresholds.plain_vowel_share * len(characters):
        return False
    # Codes and abbreviations have no vowels either, but they are short.
    words = "".join(_WORDS.findall(characters))
    return len(words) >= thresholds.enough_letters and sum(
        map(words.count, _VOWELS)
    ) < thresholds.min_vowel_share * len(words)


def _line(line: dict[str, Any], thresholds: TextLayerThresholds) -> TextLine | None:
    spans = [span for span in line["spans"] if span["text"].strip()]
    if not spans:
        return None
    text = clean("".join(span["text"] for span in line["spans"]))
    if not text or _is_rule(text, thresholds):
        return None
    upright = line["dir"][0] > thresholds.min_upright_cosine
    if len(spans) == 1:
        (span,) = spans
        is_mono = bool(span["flags"] & _MONO_FLAG)
        box, size = Box(*span["bbox"]), float(span["size"])
        return TextLine(text, box, size, bold=_is_bold(span), mono=is_mono, upright=upright)
    main = max(spans, key=lambda span: len(span["text"]))
    letters = sum(len(span["text"]) for span in spans)
    bold = sum(len(span["text"]) for span in spans if _is_bold(span))
    mono = sum(len(span["text"]) for span in spans if span["flags"] & _MONO_FLAG)
    return TextLine(
        text=text,
        box=cover(Box(*span["bbox"]) for span in spans),
        size=float(main["size"]),
        bold=bold > thresholds.bold_share * letters,
        mono=mono > thresholds.mono_share * letters,
        upright=upright,
    )


def _is_bold(span: dict[str, Any]) -> bool:
    return bool(span["flags"] & _BOLD_FLAG) or _is_bold_name(span["font"])


@lru_cache(maxsize=256)
def _is_bold_name(font: str) -> bool:
    return bool(_BOLD_NAME.search(font))
