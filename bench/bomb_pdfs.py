"""PDFs and images that are bombs."""

import io
import random
from collections.abc import Callable, Mapping
from pathlib import Path

from PIL import Image

from bench.bomb_parts import GIB, MIB, deflated, one_page, pdf, png, repeated, stream

SIDE = 60_000
"""Pixels of the side of an image."""
LINES = 400_000
PAGES = 20_000
FLATE = "/Filter /FlateDecode"
SHOW = b"(Water rises in the harbour.) Tj T* "


def flate(piece: bytes, size: int) -> Callable[[Path], None]:
    """Return a writer of a page whose content repeats a piece, `size` bytes unpacked."""
    return lambda path: one_page(stream(deflated(repeated(piece, size)), FLATE), path)


def flate_twice(path: Path) -> None:
    """1 GiB of content packed twice: some kilobytes."""
    twice = deflated([deflated(repeated(b" ", GIB))])
    one_page(stream(twice, "/Filter [/FlateDecode /FlateDecode]"), path)


def flate_objects(path: Path) -> None:
    """A page that stands in an object stream of 1 GiB."""
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>"
    packed = deflated([b"3 0 ", page, *repeated(b" ", GIB)])
    objects = {
        1: b"<< /Type /Catalog /Pages 2 0 R >>",
        2: b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        4: stream(packed, "/Type /ObjStm /N 1 /First 4 /Filter /FlateDecode"),
    }
    pdf(objects, path)
    # As a cross-reference stream, the only kind that can point into an object stream.
    data = path.read_bytes()
    data = data[: data.index(b"xref\n0 ")]
    entries = b"".join(
        kind.to_bytes(1, "big") + value.to_bytes(4, "big") + b"\x00\x00"
        for kind, value in (
            (0, 0),
            (1, data.index(b"1 0 obj")),
            (1, data.index(b"2 0 obj")),
            (2, 4),
            (1, data.index(b"4 0 obj")),
            (1, len(data)),
        )
    )
    cross = stream(entries, "/Type /XRef /Size 6 /W [1 4 2] /Root 1 0 R")
    path.write_bytes(data + b"5 0 obj\n" + cross + b"\nendobj\nstartxref\n%d\n%%%%EOF\n" % len(data))


def flate_image(path: Path) -> None:
    """A page under an image of 60,000 x 60,000 pixels."""
    row = b"\xff" * (SIDE // 8)
    entries = "/Type /XObject /Subtype /Image /BitsPerComponent 1 /ColorSpace /DeviceGray"
    image = stream(deflated(repeated(row, len(row) * SIDE)), f"{entries} /Width {SIDE} /Height {SIDE} {FLATE}")
    one_page(stream(b"595 0 0 842 0 0 cm /I Do"), path, "/XObject << /I 6 0 R >>", {6: image})


def nested_forms(path: Path) -> None:
    """Ten forms, each of which draws the next ten times: a thousand million words."""
    more = {}
    for number in range(6, 16):
        deepest = number == 15
        content = b"BT /F 9 Tf 50 50 Td (ha) Tj ET" if deepest else b"/N Do " * 10
        resources = "/Font << /F 5 0 R >>" if deepest else f"/XObject << /N {number + 1} 0 R >>"
        entries = f"/Type /XObject /Subtype /Form /BBox [0 0 595 842] /Resources << {resources} >>"
        more[number] = stream(content, entries)
    one_page(stream(b"/N Do"), path, "/XObject << /N 6 0 R >>", more)


def form_loop(path: Path) -> None:
    """A form that draws itself."""
    entries = "/Type /XObject /Subtype /Form /BBox [0 0 595 842] /Resources << /XObject << /N 6 0 R >> >>"
    one_page(stream(b"/N Do"), path, "/XObject << /N 6 0 R >>", {6: stream(b"/N Do /N Do", entries)})


def pattern_loop(path: Path) -> None:
    """A tiling pattern that is filled with itself, on tiles of a hundredth of a point."""
    entries = (
        "/Type /Pattern /PatternType 1 /PaintType 1 /TilingType 1 /BBox [0 0 1 1] /XStep 0.01 /YStep 0.01 "
        "/Resources << /Pattern << /P 6 0 R >> >>"
    )
    fill = b"/Pattern cs /P scn 0 0 595 842 re f"
    one_page(stream(fill), path, "/Pattern << /P 6 0 R >>", {6: stream(fill, entries)})


def drawn_lines(path: Path) -> None:
    """400,000 lines that are drawn, each at its own place."""
    dice = random.Random(4)
    lines = (b"%d %d m %d %d l S\n" % tuple(dice.randrange(600) for _ in range(4)) for _ in range(LINES))
    one_page(stream(deflated(lines), FLATE), path)


def ruled_cells(path: Path) -> None:
    """A grid of 400,000 lines."""
    lines = (b"%.3f 0 m %.3f 842 l S\n0 %.3f m 595 %.3f l S\n" % ((n * 0.002,) * 4) for n in range(LINES // 2))
    one_page(stream(deflated(lines), FLATE), path)


def text_lines(path: Path) -> None:
    """400,000 lines of text, each at its own place."""
    dice = random.Random(5)
    lines = (b"1 0 0 1 %d %d Tm (level %d) Tj\n" % (dice.randrange(590), dice.randrange(840), n) for n in range(LINES))
    one_page(stream(deflated([b"BT /F 1 Tf ", *lines, b"ET"]), FLATE), path)


def pages(
    count: int, *, same: bool, content: bytes = b"BT /F 9 Tf 50 800 Td (High water.) Tj ET"
) -> Callable[[Path], None]:
    """Return a writer of many pages, with an object each or all with the same one."""

    def make(path: Path) -> None:
        page = (
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R "
            b"/Resources << /Font << /F 3 0 R >> >> >>"
        )
        numbers = [5] * count if same else range(5, 5 + count)
        kids = b" ".join(b"%d 0 R" % number for number in numbers)
        objects = {
            1: b"<< /Type /Catalog /Pages 2 0 R >>",
            2: b"<< /Type /Pages /Kids [%b] /Count %d >>" % (kids, count),
            3: b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
            4: stream(deflated([content]), FLATE),
        }
        pdf({**objects, **dict.fromkeys(numbers, page)}, path)

    return make


def page_loop(path: Path) -> None:
    """A page tree whose branch is its own root."""
    pdf(
        {
            1: b"<< /Type /Catalog /Pages 2 0 R >>",
            2: b"<< /Type /Pages /Kids [3 0 R 2 0 R] /Count 900 /Parent 3 0 R >>",
            3: b"<< /Type /Pages /Kids [2 0 R 3 0 R] /Count 900 /Parent 2 0 R >>",
        },
        path,
    )


def count_lie(path: Path) -> None:
    """Two thousand million pages, of which there is one."""
    pages(1, same=False)(path)
    path.write_bytes(path.read_bytes().replace(b"/Count 1 ", b"/Count 2147483647 "))


def xref_loop(path: Path) -> None:
    """A cross-reference table whose predecessor is itself."""
    pages(1, same=False)(path)
    data = path.read_bytes()
    place = data.rindex(b"xref\n0 ")
    path.write_bytes(data.replace(b"/Root 1 0 R", b"/Root 1 0 R /Prev %d" % place))


def nested_arrays(path: Path) -> None:
    """A million arrays within one another, in an object and in a content."""
    deep = b"[" * 1_000_000
    one_page(stream(deflated([deep]), FLATE), path, "/XObject << /N 6 0 R >>", {6: deep})


def text(size: int, count: int) -> Callable[[Path], None]:
    """Return a writer of pages with `size` bytes of text in total, compressed."""
    lines = SHOW * (size // count // len(SHOW))
    return pages(count, same=True, content=b"BT /F 9 Tf 12 TL 50 800 Td " + lines + b"ET")


def plain_text(path: Path) -> None:
    """One page with 100 MB of text that is not packed."""
    one_page(stream(b"BT /F 9 Tf 1 TL 50 800 Td " + SHOW * (100 * MIB // len(SHOW)) + b"ET"), path)


def huge_page(path: Path) -> None:
    """A page of a square kilometre, with an image on it and no text: it must be rendered."""
    entries = "/Type /XObject /Subtype /Image /Width 1 /Height 1 /BitsPerComponent 8 /ColorSpace /DeviceGray"
    side = 2_834_645
    content = stream(b"%d 0 0 %d 0 0 cm /I Do" % (side, side))
    one_page(content, path, "/XObject << /I 6 0 R >>", {6: stream(b"\x80", entries)})
    path.write_bytes(path.read_bytes().replace(b"[0 0 595 842]", b"[0 0 %d %d]" % (side, side)))


def code_map(path: Path) -> None:
    """A font whose codes are mapped to Unicode by a million ranges."""
    ranges = deflated(repeated(b"<0000> <FFFF> <0041>\n", 21_000_000))
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode 7 0 R >>"
    content = stream(b"BT /G 9 Tf 50 800 Td (High water.) Tj ET")
    one_page(content, path, "/Font << /G 6 0 R >>", {6: font, 7: stream(ranges, FLATE)})


def large_png(path: Path) -> None:
    """60,000 x 60,000 pixels: 400 MiB in half a megabyte."""
    png(SIDE, SIDE, path)


def png_of_text(path: Path) -> None:
    """A small PNG with a comment of 1 GiB."""
    png(400, 200, path, [(b"zTXt", b"Comment\x00\x00" + deflated(repeated(b"a", GIB)))])


def patched(kind: str, change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """Return a writer of a small image with some bytes changed."""

    def make(path: Path) -> None:
        buffer = io.BytesIO()
        Image.new("L", (16, 16), 255).save(buffer, kind)
        path.write_bytes(change(buffer.getvalue()))

    return make


def _jpeg_size(data: bytes) -> bytes:
    place = data.index(b"\xff\xc0") + 5
    return data[:place] + SIDE.to_bytes(2, "big") * 2 + data[place + 4 :]


def _tiff_size(data: bytes) -> bytes:
    for tag in (0x100, 0x101, 0x116):
        for kind in (3, 4):
            mark = tag.to_bytes(2, "little") + kind.to_bytes(2, "little") + b"\x01\x00\x00\x00"
            place = data.find(mark)
            if place >= 0:
                data = data[: place + 2] + b"\x04\x00\x01\x00\x00\x00" + SIDE.to_bytes(4, "little") + data[place + 12 :]
    return data


def _tiff_loop(data: bytes) -> bytes:
    start = int.from_bytes(data[4:8], "little")
    count = int.from_bytes(data[start : start + 2], "little")
    place = start + 2 + 12 * count
    return data[:place] + start.to_bytes(4, "little") + data[place + 4 :]


def many_frames(path: Path) -> None:
    """A TIFF of 20,000 pages."""
    frame = Image.new("1", (8, 8), 1)
    frame.save(path, "TIFF", save_all=True, append_images=[frame] * (PAGES - 1))


def noise(path: Path) -> None:
    """A page of nothing but specks, 20 million pixels: what text recognition takes longest for."""
    side = 4_470
    packed = random.Random(6).randbytes((side + 7) // 8 * side)
    Image.frombytes("1", (side, side), packed).save(path, "PNG")


PDFS: Mapping[str, Callable[[Path], None]] = {
    "flate-1gib.pdf": flate(b" ", GIB),
    "flate-words-1gib.pdf": flate(b"BT /F 9 Tf (a) Tj ET ", GIB),
    "flate-paths-1gib.pdf": flate(b"0 0 m 9 9 l ", GIB),
    "flate-twice.pdf": flate_twice,
    "flate-objects.pdf": flate_objects,
    "pixels-60000.pdf": flate_image,
    "nested-forms.pdf": nested_forms,
    "form-loop.pdf": form_loop,
    "pattern-loop.pdf": pattern_loop,
    "lines-400000.pdf": drawn_lines,
    "grid-400000.pdf": ruled_cells,
    "text-lines-400000.pdf": text_lines,
    "pages-20000.pdf": pages(PAGES, same=False),
    "pages-20000-one.pdf": pages(PAGES, same=True),
    "page-loop.pdf": page_loop,
    "count-lie.pdf": count_lie,
    "xref-loop.pdf": xref_loop,
    "nested-arrays.pdf": nested_arrays,
    "text-100mb.pdf": plain_text,
    "text-100mb-1000-pages.pdf": text(100 * MIB, 1000),
    "huge-page.pdf": huge_page,
    "code-map.pdf": code_map,
}
IMAGES: Mapping[str, Callable[[Path], None]] = {
    "pixels-60000.png": large_png,
    "pixels-60000.jpg": patched("JPEG", _jpeg_size),
    "pixels-60000.tiff": patched("TIFF", _tiff_size),
    "frame-loop.tiff": patched("TIFF", _tiff_loop),
    "frames-20000.tiff": many_frames,
    "comment-1gib.png": png_of_text,
    "noise.png": noise,
}
