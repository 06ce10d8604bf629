"""Checks what a child of the sandbox has sent before anything is done with it."""

import struct
import threading
from contextlib import nullcontext

from octavo.documents import Document, InvalidDocument
from octavo.engines.contract import PageToRender, Reading
from octavo.engines.sandbox.child_handle import UntrustedReading
from octavo.engines.sandbox.failures import ChildDied

_MAGIC = {
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff",
    "image/webp": b"RIFF",
}
"""Kinds of figure bytes that may reach a customer's browser, and how they begin."""
_PNG_HEAD = _MAGIC["image/png"] + b"\0\0\0\rIHDR"
"""Width and height follow."""
_LARGE_ANSWER, _LARGE_ANSWER_BYTES = threading.Lock(), 1024**2


def checked_reading(untrusted: UntrustedReading) -> Reading:
    """Return a reading as a document. Raises ChildDied when it is none."""
    try:
        # One at a time: to refuse a broken answer takes 28 times its size for a moment, to take a good one in 10 times.
        with _LARGE_ANSWER if len(untrusted.document_json) > _LARGE_ANSWER_BYTES else nullcontext():
            document = Document.from_json(untrusted.document_json)
        reading = Reading(document, untrusted.images)
        check_images(reading)
    except InvalidDocument as error:
        raise ChildDied(f"the parser gave a broken answer: {error}") from error
    return reading


def checked_page_image(untrusted: UntrustedReading, page: PageToRender) -> bytes:
    """Return the image of a page, a PNG of the size that was asked for. Raises ChildDied when it is none."""
    size = struct.pack(">II", page.width, page.height)
    if len(untrusted.images) != 1 or not untrusted.images[0].startswith(_PNG_HEAD + size):
        raise ChildDied("the parser gave a broken answer: no image of this size")
    return untrusted.images[0]


def check_images(reading: Reading) -> None:
    """Raise `InvalidDocument` unless every figure has bytes of the kind it claims."""
    for figure in reading.document.figures:
        if figure.image_index >= len(reading.images):
            raise InvalidDocument("a figure has no bytes")
        magic = _MAGIC.get(figure.mime)
        if magic is None or not reading.images[figure.image_index].startswith(magic):
            raise InvalidDocument(f"a figure is not {figure.mime}")
