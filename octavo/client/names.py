"""Names of files, which may be any bytes: as they are sent, shown and written."""

import hashlib
import os
import re
import unicodedata
from pathlib import Path, PurePosixPath

MOST_NAME_BYTES = 255
"""Longest name of a file that common file systems take."""
RESULT_SUFFIX = ".json"
_ESCAPE = re.compile(r"\\x([0-9a-f]{2})")


def wire_name(name: str) -> str:
    """Return a name as text that JSON can hold: bytes that are not UTF-8 as `\\xff`; `local_name` undoes it."""
    raw = os.fsencode(name)
    try:
        if not _ESCAPE.search(raw.decode()):
            return name
    except UnicodeDecodeError:
        pass
    return raw.replace(b"\\", rb"\x5c").decode(errors="backslashreplace")


def local_name(wire: str) -> str:
    """Return the name that `wire_name` has made into text."""
    raw = _ESCAPE.sub(lambda found: chr(0xDC00 + int(found[1], 16)) if found[1] >= "80" else "\\", wire)
    return os.fsdecode(raw.encode(errors="surrogateescape"))


def printable(text: str) -> str:
    """Return text that a terminal only shows: line ends, escape sequences and other bytes are spelled out."""
    return "".join(one if one.isprintable() or unicodedata.category(one) == "Zs" else _spelled(one) for one in text)


def _spelled(character: str) -> str:
    number = ord(character)
    is_byte = 0xDC80 <= number <= 0xDCFF
    return f"\\x{number - 0xDC00:02x}" if is_byte else character.encode("unicode_escape").decode()


def relative_name(untrusted_name: str | None, otherwise: str) -> str:
    """Return a name that cannot lead out of a folder: parts of a path, without `..`; `otherwise` if nothing is left."""
    parts = (untrusted_name or "").replace("\0", "").split("/")
    return "/".join(part for part in parts if part not in ("", ".", "..")) or otherwise


def result_name(name: str) -> str:
    """Return the name of the result of a file, relative to the folder of results; one too long is shortened."""
    *folders, last = PurePosixPath(name).parts
    room = MOST_NAME_BYTES - len(RESULT_SUFFIX)
    return str(PurePosixPath(*(_short(part, MOST_NAME_BYTES) for part in folders), _short(last, room) + RESULT_SUFFIX))


def _short(part: str, room: int) -> str:
    """Return a name of at most so many bytes; two long ones that begin alike stay apart."""
    raw = os.fsencode(part)
    if len(raw) <= room:
        return part
    suffix = os.fsencode(Path(part).suffix)
    suffix = suffix if len(suffix) <= 16 else b""
    tail = b"~" + hashlib.sha256(raw).hexdigest()[:8].encode() + suffix
    head = raw[: room - len(tail)]
    while head and raw[len(head)] & 0xC0 == 0x80:  # not in the middle of a character
        head = head[:-1]
    return os.fsdecode(head + tail)


def comparable(name: str, *, is_exact: bool) -> str:
    """Return what two names have in common that are one file; not every file system tells case and accents apart."""
    return name if is_exact else unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def numbered(name: str, number: int) -> str:
    """Return `folder/name.2.pdf` for a second `folder/name.pdf`."""
    path = PurePosixPath(name)
    return str(path.with_name(f"{path.stem}.{number}{path.suffix}"))
