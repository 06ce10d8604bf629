"""The text layer of a PDF page as lines, and whether it can be trusted."""

import re
from collections.abc import Sequence
from typing import Any

from octavo.documents import Box
from octavo.engines.fast.lines import TextLine, clean, cover
from octavo.engines.mupdf import PdfPage, pymupdf

_FLAGS = pymupdf.TEXT_PRESERVE_WHITESPACE | pymupdf.TEXT_MEDIABOX_CLIP
_BOLD_FLAG, _MONO_FLAG = 16, 8
_BOLD_NAME = re.compile(r"bold|black|heavy|semibold|demi", re.I)
_UNREADABLE = re.compile("[\ufffd\ue000-\uf8ff\x00-\x08\x0e-\x1f]")
_MAX_UNREADABLE_SHARE = 0.3
_FEW_CHARACTERS = 60
_SCAN_COVER, _SOME_COVER = 0.6, 0.2
_MANY_PATHS = 200


def text_lines(page: PdfPage) -> list[TextLine]:
    """Return the lines of a page whose rotation has been taken out; invisible text counts as text."""
    lines: list[TextLine] = []
    for block in page.get_text("dict", flags=_FLAGS)["blocks"]:
        for line in block.get("lines", ()):
            made = _line(line)
            if made is not None:
                lines.append(made)
    return lines


def is_usable(lines: Sequence[TextLine], image_cover: float, paths: int) -> bool:
    """Tell whether a page's text layer says what the page shows.

    `image_cover` is the share of the page under images. A page without text is fine if it shows nothing.
    """
    characters = "".join(line.text for line in lines)
    if len(_UNREADABLE.findall(characters)) > _MAX_UNREADABLE_SHARE * len(characters):
        return False
    if not characters.strip():
        return image_cover < _SOME_COVER and paths < _MANY_PATHS
    return len(characters) >= _FEW_CHARACTERS or image_cover < _SCAN_COVER


def _line(line: dict[str, Any]) -> TextLine | None:
    spans = [span for span in line["spans"] if span["text"].strip()]
    if not spans:
        return None
    text = clean("".join(span["text"] for span in line["spans"]))
    if not text:
        return None
    main = max(spans, key=lambda span: len(span["text"]))
    letters = sum(len(span["text"]) for span in spans)
    bold = sum(len(span["text"]) for span in spans if _is_bold(span))
    mono = sum(len(span["text"]) for span in spans if span["flags"] & _MONO_FLAG)
    return TextLine(
        text=text,
        box=cover(Box(*span["bbox"]) for span in spans),
        size=float(main["size"]),
        bold=bold > 0.6 * letters,
        mono=mono > 0.8 * letters,
        upright=line["dir"][0] > 0.98,
    )


def _is_bold(span: dict[str, Any]) -> bool:
    return bool(span["flags"] & _BOLD_FLAG) or bool(_BOLD_NAME.search(span["font"]))
