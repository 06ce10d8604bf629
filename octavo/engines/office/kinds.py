"""Which format other than PDF and images a file has: by its bytes, and for text by what it was declared as.

TXT, CSV and Markdown have no magic bytes: they are taken only where the name or the type declares them. HTML and mail
are known by their first lines too. Text under the name of a binary format is none of them: it is an error page, mostly.
"""

import io
import re
import zipfile
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Literal, get_args

from octavo.engines.office.containers import ZIP_ERRORS
from octavo.errors import ExtractionFailed

OfficeKind = Literal[
    "docx", "pptx", "xlsx", "odt", "odp", "ods", "epub", "rtf", "msg", "html", "markdown", "csv", "text", "eml"
]
KINDS: tuple[OfficeKind, ...] = get_args(OfficeKind)

_BY_EXTENSION: Mapping[str, OfficeKind] = {
    ".txt": "text",
    ".text": "text",
    ".md": "markdown",
    ".markdown": "markdown",
    ".csv": "csv",
    ".tsv": "csv",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".eml": "eml",
}
_BY_TYPE: Mapping[str, OfficeKind] = {
    "text/plain": "text",
    "text/markdown": "markdown",
    "text/x-markdown": "markdown",
    "text/csv": "csv",
    "text/tab-separated-values": "csv",
    "text/html": "html",
    "application/xhtml+xml": "html",
    "message/rfc822": "eml",
}
# fmt: off
_BINARY_NAMES = frozenset((
    ".pdf", ".docx", ".pptx", ".xlsx", ".odt", ".odp", ".ods", ".epub", ".msg", ".doc", ".ppt", ".xls", ".zip",
    ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".heic", ".heif", ".gif", ".bmp",
))
# fmt: on
_OFFICE_PARTS: Mapping[bytes, OfficeKind] = {
    b"wordprocessingml": "docx",
    b"ms-word.": "docx",
    b"presentationml": "pptx",
    b"ms-powerpoint.": "pptx",
    b"spreadsheetml": "xlsx",
    b"ms-excel.": "xlsx",
}
_MAIN_PART = re.compile(
    rb'"application/vnd\.[a-zA-Z.-]*?(wordprocessingml|presentationml|spreadsheetml|ms-word\.|ms-powerpoint\.|ms-excel\.)[a-zA-Z.]*main\+xml"'
)
_BY_MIMETYPE: Mapping[bytes, OfficeKind] = {
    b"application/vnd.oasis.opendocument.text": "odt",
    b"application/vnd.oasis.opendocument.presentation": "odp",
    b"application/vnd.oasis.opendocument.spreadsheet": "ods",
    b"application/epub+zip": "epub",
}
_ZIP, _OLE, _RTF = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"{\\rtf"
_HTML = re.compile(
    # What has matched is not given back: a hundred comments and no page behind them would take for ever.
    rb"^\s*+(?:<\?xml[^>]*+>\s*+)?+(?:<!--.*?-->\s*+)*+<(?:!doctype\s+html|html|head|body)\b",
    re.IGNORECASE | re.DOTALL,
)
_MAIL_FIELD = re.compile(
    rb"^(?:return-path|received|from|to|date|subject|message-id|mime-version|delivered-to):\s",
    re.IGNORECASE | re.MULTILINE,
)
_LEAST_FIELDS = 3
_LONGEST_TYPES_PART = 1024 * 1024
_CONTROLS = frozenset(range(32)) - set(b"\t\n\r\f\x1b")


def office_kind(data: bytes, filename: str | None, content_type: str | None) -> OfficeKind | None:
    """Return the format of these bytes, or None. Raises `ExtractionFailed` for a locked or a broken file."""
    if data.startswith(_ZIP):
        return _kind_of_zip(data)
    if data.startswith(_OLE):
        return _kind_of_ole(data)
    if data.startswith(_RTF):
        return "rtf"
    return _kind_of_text(data, filename, content_type)


def declared_kind(filename: str | None, content_type: str | None) -> OfficeKind | None:
    """Return what bytes that are text are taken for by their name and their type; None where these say nothing."""
    of_name = _BY_EXTENSION.get(_extension(filename))
    of_type = _BY_TYPE.get((content_type or "").partition(";")[0].strip().lower())
    # `text/plain` is what senders say of anything; any other type knows more than a name.
    return of_type if of_type not in (None, "text") else of_name or of_type


def _extension(filename: str | None) -> str:
    return PurePosixPath((filename or "").replace("\\", "/")).suffix.lower()


def _kind_of_zip(data: bytes) -> OfficeKind | None:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = set(archive.namelist())
            if "[Content_Types].xml" in names:
                found = _MAIN_PART.search(_beginning(archive, "[Content_Types].xml"))
                return _OFFICE_PARTS[found[1]] if found else None
            if "mimetype" in names:
                return _BY_MIMETYPE.get(_beginning(archive, "mimetype").strip())
    except ZIP_ERRORS as error:
        if any(mark in data for mark in (b"[Content_Types].xml", b"opendocument", b"epub+zip")):
            raise ExtractionFailed(f"the document is damaged: {error}") from error
    return None


def _beginning(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as part:
        return part.read(_LONGEST_TYPES_PART)


def _kind_of_ole(data: bytes) -> OfficeKind | None:
    if _utf16("EncryptedPackage") in data:
        raise ExtractionFailed("the document needs a password")
    return "msg" if _utf16("__substg1.0_") in data else None


def _utf16(text: str) -> bytes:
    return text.encode("utf-16-le")


def _kind_of_text(data: bytes, filename: str | None, content_type: str | None) -> OfficeKind | None:
    if _extension(filename) in _BINARY_NAMES or not _is_text(data):
        return None
    declared = declared_kind(filename, content_type)
    if declared in (None, "text", "html") and _HTML.match(data.removeprefix(b"\xef\xbb\xbf")):
        return "html"
    if declared is None and len(_MAIL_FIELD.findall(_head_of_mail(data))) >= _LEAST_FIELDS:
        return "eml"
    return declared


def _head_of_mail(data: bytes) -> bytes:
    return re.split(rb"\r?\n\r?\n", data[:65536], maxsplit=1)[0]


def _is_text(data: bytes) -> bool:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    return _CONTROLS.isdisjoint(data[:65536])
