"""How much a document holds, before it is read: a reader that would take minutes must not be asked to find out.

What is counted here is cheap, and rough where text has markup, so that only what is far over a limit is refused by it.
It takes time in proportion to the bytes, and looks at no more of them than it takes to be sure.
"""

import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from typing import IO

from octavo.engines.contract import Limits
from octavo.engines.office.containers import ZIP_ERRORS
from octavo.engines.office.kinds import OfficeKind
from octavo.engines.office.paging import CHARACTERS_PER_PAGE
from octavo.engines.office.places import Places
from octavo.engines.office.thresholds import OfficeThresholds
from octavo.errors import ExtractionFailed, PageLimitExceeded

_CONTENT = re.compile(r"content\.xml")
_FLOWING: Mapping[OfficeKind, re.Pattern[str]] = {
    "docx": re.compile(r"word/document\d*\.xml"),
    "odt": _CONTENT,
    "epub": re.compile(r".*\.x?html?"),
}
"""Parts whose text flows over pages."""
_LISTED: Mapping[OfficeKind, tuple[re.Pattern[str], re.Pattern[bytes]]] = {
    "pptx": (re.compile(r"ppt/presentation\.xml"), re.compile(rb"<(?:\w+:)?sldId\s")),
    "xlsx": (
        re.compile(r"xl/workbook\.xml"),
        re.compile(rb"<(?:\w+:)?sheet\s(?![^<>]*\bstate\s*=\s*[\"'](?:h|veryH)idden)"),
    ),
    "odp": (_CONTENT, re.compile(rb"<(?:\w+:)?page\s")),
    "ods": (_CONTENT, re.compile(rb"<(?:\w+:)?table[\s>]")),
}
"""Parts in which slides or sheets are listed, and how each begins."""
_WITH_TABLES: Mapping[OfficeKind, re.Pattern[str]] = {
    "docx": _FLOWING["docx"],
    "pptx": re.compile(r"ppt/slides/.*\.xml"),
    "xlsx": re.compile(r"xl/worksheets/.*\.xml"),
    "odt": _CONTENT,
    "odp": _CONTENT,
    "ods": _CONTENT,
    "epub": _FLOWING["epub"],
}
_TAG = re.compile(rb"<[^<>]*>?")
_ENTITY = re.compile(rb"&#?\w{1,9};")
_RTF_CONTROL = re.compile(rb"\\(?:[a-zA-Z]{1,32}-?\d{0,10} ?|'[0-9a-fA-F]{2}|.)|[{}]", re.DOTALL)
_UNSEEN = re.compile(rb"<(?:(!--)|(script|style|template)\b)", re.IGNORECASE)
_NO_CHARACTER = b" \t\n\r\f\v" + bytes(range(0x80, 0xC0))
"""White space, and the bytes of a character in UTF-8 after its first."""
_CSV_MARKS = b",;|\"'"


def check_counts(kind: OfficeKind, data: bytes, limits: Limits, thresholds: OfficeThresholds) -> None:
    """Refuse a document of far too many pages, cells, or places that its cells span.

    `data` is the file, or its text in UTF-8. Raises `PageLimitExceeded`, `ExtractionFailed`.
    """
    if kind in _LISTED:
        part, beginning = _LISTED[kind]
        _refuse_pages(
            sum(1 for piece in _pieces(data, part, thresholds.counted_piece_bytes) for _ in beginning.finditer(piece)),
            limits,
        )
    if kind == "csv":
        _refuse_pages(len(data.translate(None, _NO_CHARACTER + _CSV_MARKS)) // CHARACTERS_PER_PAGE, limits)
    elif len(data) > limits.max_pages * CHARACTERS_PER_PAGE or kind in _FLOWING:
        refuse_characters(kind, data, limits, thresholds)
    places = Places(kind, thresholds)
    if kind == "csv":
        places.add_lines(data)
    elif kind == "html":
        places.add(data)
    elif kind in _WITH_TABLES:
        for piece in _pieces(data, _WITH_TABLES[kind], thresholds.counted_piece_bytes):
            places.add(piece)
    places.end_table()


def _refuse_pages(count: int, limits: Limits) -> None:
    if count > limits.max_pages:
        raise PageLimitExceeded(f"the document has at least {count} pages, more than {limits.max_pages}")


def refuse_characters(kind: OfficeKind, data: bytes, limits: Limits, thresholds: OfficeThresholds) -> None:
    """Refuse a document with far too much text. Raises `PageLimitExceeded`."""
    found = 0
    for text in _texts(kind, data, thresholds.counted_piece_bytes):
        found += len(text.translate(None, _NO_CHARACTER))
        if found > thresholds.rough_text_factor * limits.max_pages * CHARACTERS_PER_PAGE:
            _refuse_pages(found // CHARACTERS_PER_PAGE, limits)


def _texts(kind: OfficeKind, data: bytes, most: int) -> Iterable[bytes]:
    """Yield what is left of a document without its markup, more or less."""
    match kind:
        case "docx" | "odt":
            return map(_without_tags, _pieces(data, _FLOWING[kind], most))
        case "epub":
            return (_without_tags(text) for piece in _pieces(data, _FLOWING[kind], most) for text in _seen(piece))
        case "html":
            return (_without_tags(piece) for text in _seen(data) for piece in _cut(text, most))
        case "rtf":
            return (_RTF_CONTROL.sub(b"", piece) for piece in _cut(data, most) if b"\\pict" not in data)
        case "markdown" | "text":
            return _cut(data, most)
        case _:
            return ()


def _without_tags(piece: bytes) -> bytes:
    return _ENTITY.sub(b".", _TAG.sub(b"", piece))


def _seen(data: bytes) -> Iterator[bytes]:
    """Yield a web page but for its comments, scripts and styles; one that does not end goes on to the end."""
    lower, position = data.lower(), 0
    for found in _UNSEEN.finditer(data):
        if found.start() < position:
            continue
        yield data[position : found.start()]
        end = lower.find(b"-->" if found[1] else b"</" + found[2].lower(), found.end())
        if end < 0:
            return
        position = end
    yield data[position:]


def _cut(data: bytes, most: int) -> Iterator[bytes]:
    for start in range(0, len(data), most):
        yield data[start : start + most]


def _pieces(data: bytes, wanted: re.Pattern[str], most: int) -> Iterator[bytes]:
    """Yield parts of a zipped document piece by piece, each cut behind a tag. Raises `ExtractionFailed`."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for entry in archive.infolist():
                if wanted.fullmatch(entry.filename):
                    with archive.open(entry) as part:
                        yield from _cut_behind_tags(part, most)
    except ZIP_ERRORS as error:
        raise ExtractionFailed(f"the document is damaged: {error}") from error


def _cut_behind_tags(part: IO[bytes], most: int) -> Iterator[bytes]:
    rest = b""
    while more := part.read(most):
        end = more.rfind(b">") + 1 or len(more)
        yield rest + more[:end]
        rest = more[end:]
    yield rest
