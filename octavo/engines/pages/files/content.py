"""A page's content stream, looked at without running it: how large it is, how much it draws."""

import re
import zlib
from dataclasses import dataclass

from octavo.engines.contract import Limits
from octavo.engines.mupdf import PDF_ERRORS, PdfDocument, PdfPage
from octavo.engines.pages.thresholds.files import ContentThresholds

_STRINGS = re.compile(rb"\([^()\\]*\)")
_PATHS = re.compile(rb"[\s\d](?:re|[lcvy])(?=\s|$)")
_PAINTED = re.compile(rb"\bDo\b|\bBI\b|\bscn\b")


@dataclass(frozen=True, slots=True)
class ContentSize:
    """`paths` counts drawing operators; `huge` says how the page is too large for drawings and tables, if it is.

    `images` is false only where nothing is painted that could be an image.
    """

    paths: int
    huge: str | None = None
    images: bool = True


def measure(document: PdfDocument, page: PdfPage, limits: Limits, thresholds: ContentThresholds) -> ContentSize:
    """Measure a page's content streams without ever decoding more than the limit allows."""
    paths = total = 0
    images = False
    for xref in page.get_contents():
        try:
            decoded = _decoded(document, xref, limits.max_content_bytes - total, thresholds)
        except PDF_ERRORS:
            # MuPDF may still draw what cannot be looked at, or leave it out.
            images = True
            continue
        if decoded is None:
            return ContentSize(paths, huge=f"its content has more than {limits.max_content_bytes} bytes")
        total += len(decoded)
        # What is written is most of a page, and no operator.
        decoded = _STRINGS.sub(b"()", decoded)
        images = images or bool(_PAINTED.search(decoded))
        paths += len(_PATHS.findall(decoded))
        if paths > limits.max_paths:
            return ContentSize(paths, huge=f"it has more than {limits.max_paths} drawings")
    return ContentSize(paths, images=images)


def _decoded(document: PdfDocument, xref: int, room: int, thresholds: ContentThresholds) -> bytes | None:
    raw: bytes = document.xref_stream_raw(xref) or b""
    if len(raw) > room:
        return None
    kind, name = document.xref_get_key(xref, "Filter")
    if kind == "null":
        return raw
    if name.strip("[] ") == "/FlateDecode":
        return _inflated(raw, room)
    # Other filters are rare on pages; they are decoded only where even the worst ratio stays small.
    if len(raw) * thresholds.worst_ratio > thresholds.max_decoded_bytes:
        return None
    decoded: bytes = document.xref_stream(xref) or b""
    return decoded if len(decoded) <= room else None


def _inflated(raw: bytes, room: int) -> bytes | None:
    inflate = zlib.decompressobj()
    try:
        decoded = inflate.decompress(raw, room)
    except zlib.error:
        return b""
    return None if inflate.unconsumed_tail else decoded
