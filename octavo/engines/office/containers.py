"""What a zipped document may unpack to: looked at before any parser sees it.

The sizes in a zip's directory are claims: an entry that unpacks to more than it says is refused by whoever unpacks it
(zip readers stop there), so that the sum of the claims bounds what can come out.
"""

import io
import lzma
import struct
import zipfile
import zlib

from octavo.errors import ExtractionFailed

MOST_ENTRIES = 20_000
MOST_RATIO = 200
"""An entry that unpacks to more than so many times its size is a bomb, if it is large."""
LARGE_BYTES = 16 * 1024**2
ZIP_ERRORS: tuple[type[Exception], ...] = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    LookupError,
    NotImplementedError,
    RuntimeError,
)
"""What damaged archives make `zipfile` raise."""
_ENTITY = b"<!ENTITY"
_HEAD_BYTES = 65536


def check_container(data: bytes, most_bytes: int) -> None:
    """Refuse a container that unpacks to too much, or that declares XML entities. Raises `ExtractionFailed`."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check_sizes(archive.infolist(), most_bytes)
            for entry in archive.infolist():
                if entry.filename.endswith((".xml", ".rels", ".xhtml", ".opf", ".ncx")):
                    _check_entities(archive, entry)
    except ZIP_ERRORS as error:
        raise ExtractionFailed(f"the document is damaged: {error}") from error


def _check_sizes(entries: list[zipfile.ZipInfo], most_bytes: int) -> None:
    if len(entries) > MOST_ENTRIES:
        raise ExtractionFailed(f"the document has {len(entries)} parts, more than {MOST_ENTRIES}")
    total = sum(entry.file_size for entry in entries)
    if total > most_bytes:
        raise ExtractionFailed(f"the document unpacks to {total} bytes, more than {most_bytes}")
    for entry in entries:
        if entry.file_size > LARGE_BYTES and entry.file_size > MOST_RATIO * max(1, entry.compress_size):
            raise ExtractionFailed("a part of the document unpacks to more than 200 times its size")


def _check_entities(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
    with archive.open(entry) as part:
        # They are declared before the first element.
        if _ENTITY in part.read(_HEAD_BYTES):
            raise ExtractionFailed("the document declares XML entities, which are not read")
