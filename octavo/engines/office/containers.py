"""What a zipped document may unpack to: looked at before any parser sees it.

The sizes in a zip's directory are claims: an entry that unpacks to more than it says is refused by whoever unpacks it
(zip readers stop there), so that the sum of the claims bounds what can come out.
"""

import io
import lzma
import struct
import zipfile
import zlib

from octavo.engines.office.thresholds import OfficeThresholds
from octavo.errors import ExtractionFailed

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


def check_container(data: bytes, most_bytes: int, thresholds: OfficeThresholds) -> None:
    """Refuse a container that unpacks to too much, or that declares XML entities. Raises `ExtractionFailed`."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check_sizes(archive.infolist(), most_bytes, thresholds)
            for entry in archive.infolist():
                if entry.filename.endswith((".xml", ".rels", ".xhtml", ".opf", ".ncx")):
                    _check_entities(archive, entry, thresholds.entity_head_bytes)
    except ZIP_ERRORS as error:
        raise ExtractionFailed(f"the document is damaged: {error}") from error


def _check_sizes(entries: list[zipfile.ZipInfo], most_bytes: int, thresholds: OfficeThresholds) -> None:
    if len(entries) > thresholds.max_archive_entries:
        raise ExtractionFailed(f"the document has {len(entries)} parts, more than {thresholds.max_archive_entries}")
    total = sum(entry.file_size for entry in entries)
    if total > most_bytes:
        raise ExtractionFailed(f"the document unpacks to {total} bytes, more than {most_bytes}")
    for entry in entries:
        if entry.file_size > max(
            thresholds.large_entry_bytes, thresholds.max_archive_ratio * max(1, entry.compress_size)
        ):
            most = thresholds.max_archive_ratio
            raise ExtractionFailed(f"a part of the document unpacks to more than {most} times its size")


def _check_entities(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, head_bytes: int) -> None:
    with archive.open(entry) as part:
        # They are declared before the first element.
        if _ENTITY in part.read(head_bytes):
            raise ExtractionFailed("the document declares XML entities, which are not read")
