"""What a file is, by its bytes. Names and declared types are hints that only enter messages, except for plain text."""

from typing import Literal

import magic

from octavo.engines.contract import Source
from octavo.engines.office.kinds import OfficeKind, office_kind
from octavo.errors import UnsupportedInput

FileKind = Literal["pdf", "image"] | OfficeKind

_HEAD_BYTES = 8192
_PDF_MARK_WITHIN = 1024
IMAGE_TYPES = frozenset(
    {
        "image/png",
        "image/jpeg",
        "image/tiff",
        "image/webp",
        "image/heic",
        "image/heif",
        "image/gif",
        "image/bmp",
        "image/x-ms-bmp",
    }
)
"""Images that are read, as libmagic calls them."""


def detect(source: Source) -> FileKind:
    """Return what kind of document the file is.

    Raises `UnsupportedInput`, naming what it looks like; `ExtractionFailed` for one that is locked or cut off.
    """
    with source.path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if not head:
        raise UnsupportedInput("the document is empty")
    # Readers accept junk before the mark, which libmagic does not.
    if b"%PDF-" in head[:_PDF_MARK_WITHIN]:
        return "pdf"
    media_type = magic.from_buffer(head, mime=True)
    if media_type in IMAGE_TYPES:
        return "image"
    found = office_kind(source.path.read_bytes(), source.filename, source.content_type)
    if found is not None:
        return found
    if media_type.startswith("text/"):
        raise UnsupportedInput(
            f"the bytes are {media_type}; text is read when its name or type says so (.txt, .md, .csv, .html, .eml), "
            "and not under the name of another format"
        )
    raise UnsupportedInput(f"the bytes are {media_type}, which cannot be read")
