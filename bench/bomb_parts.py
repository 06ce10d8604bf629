"""What bombs are made of: files that are far larger unpacked than they are, written without ever being that large."""

import io
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

MIB = 1024**2
GIB = 1024**3
_CHUNK = MIB


def deflated(chunks: Iterable[bytes]) -> bytes:
    """Return the zlib stream of these chunks."""
    pack = zlib.compressobj(9)
    return b"".join([pack.compress(chunk) for chunk in chunks]) + pack.flush()


def repeated(piece: bytes, size: int) -> Iterator[bytes]:
    """Yield a piece repeatedly, `size` bytes in total or a little more."""
    chunk = piece * max(1, _CHUNK // len(piece))
    for _ in range(-(-size // len(chunk))):
        yield chunk


def stream(data: bytes, entries: str = "") -> bytes:
    """Return a PDF stream object with these further entries in its dictionary."""
    return b"<< /Length %d %b >>\nstream\n%b\nendstream" % (len(data), entries.encode(), data)


def pdf(objects: Mapping[int, bytes], path: Path, trailer: str = "") -> None:
    """Write a PDF of these objects, of which 1 is the catalogue."""
    offsets = {}
    with path.open("wb") as file:
        file.write(b"%PDF-1.7\n")
        for number, body in objects.items():
            offsets[number] = file.tell()
            file.write(b"%d 0 obj\n%b\nendobj\n" % (number, body))
        start, size = file.tell(), max(objects) + 1
        file.write(b"xref\n0 %d\n0000000000 65535 f \n" % size)
        for number in range(1, size):
            file.write(b"%010d 00000 n \n" % offsets[number] if number in offsets else b"0000000000 65535 f \n")
        file.write(b"trailer\n<< /Size %d /Root 1 0 R %b >>\n" % (size, trailer.encode()))
        file.write(b"startxref\n%d\n%%%%EOF\n" % start)


def one_page(content: bytes, path: Path, resources: str = "", more: Mapping[int, bytes] | None = None) -> None:
    """Write a PDF of one page with this content stream (an object) as 4, a font as 5, further objects from 6 on."""
    pdf(
        {
            1: b"<< /Type /Catalog /Pages 2 0 R >>",
            2: b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            3: (
                "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R "
                f"/Resources << /Font << /F 5 0 R >> {resources} >> >>"
            ).encode(),
            4: content,
            5: b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
            **(more or {}),
        },
        path,
    )


def archive(path: Path, members: Mapping[str, bytes], large: Mapping[str, Iterable[bytes]] | None = None) -> None:
    """Write a ZIP of small members, `mimetype` stored first and plain, and of large ones that come in chunks."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as made:
        for name, data in members.items():
            made.writestr(name, data, zipfile.ZIP_STORED if name == "mimetype" else zipfile.ZIP_DEFLATED)
        for name, chunks in (large or {}).items():
            with made.open(name, "w", force_zip64=True) as member:
                for chunk in chunks:
                    member.write(chunk)


def png(width: int, height: int, path: Path, more: Iterable[tuple[bytes, bytes]] = ()) -> None:
    """Write a white PNG of one bit a pixel, with further chunks before its pixels."""
    row = b"\x00" + b"\xff" * ((width + 7) // 8)
    with path.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x01\x00\x00\x00\x00"
        for kind, data in (
            (b"IHDR", head),
            *more,
            (b"IDAT", deflated(repeated(row, len(row) * height))),
            (b"IEND", b""),
        ):
            check = zlib.crc32(kind + data).to_bytes(4, "big")
            file.write(len(data).to_bytes(4, "big") + kind + data + check)


def nested_zip(levels: int, width: int) -> bytes:
    """Return a ZIP that holds `width` ZIPs that hold ..., with 10 MiB of nothing in each of the innermost."""
    data, suffix = bytes(10 * MIB), "dat"
    for _ in range(levels):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as made:
            for number in range(width):
                made.writestr(f"{number}.{suffix}", data)
        data, suffix = buffer.getvalue(), "zip"
    return data
