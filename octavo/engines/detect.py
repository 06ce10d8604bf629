"""What a file is, by its bytes. Names and declared types are hints that only enter messages."""

from pathlib import Path
from typing import Literal

import magic

from octavo.errors import UnsupportedInput

FileKind = Literal["pdf", "image"]

_HEAD_BYTES = 8192
_PDF_MARK_WITHIN = 1024
_IMAGE_TYPES = {"image/png", "image/jpeg", "image/tiff"}


def detect(path: Path) -> FileKind:
    """Return what kind of document the file is. Raises `UnsupportedInput`, naming what it looks like."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if not head:
        raise UnsupportedInput("the document is empty")
    # Readers accept junk before the mark, which libmagic does not.
    if b"%PDF-" in head[:_PDF_MARK_WITHIN]:
        return "pdf"
    media_type = magic.from_buffer(head, mime=True)
    if media_type in _IMAGE_TYPES:
        return "image"
    raise UnsupportedInput(f"the bytes are {media_type}; PDF, PNG, JPEG and TIFF can be read")
