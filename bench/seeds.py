"""Small documents that `bench.fuzz` mutates, all drawn here, none of them anybody else's."""

import hashlib
import io
import re
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import docx
import openpyxl
import pillow_heif
import pptx
from PIL import Image

from bench.office_files import WRITERS
from bench.office_plan import plan
from octavo.engines.drawing import BODY, TITLE, Sheets
from octavo.engines.mupdf import pymupdf
from octavo.samples import make_report, make_two_columns

SUFFIXES = {
    ".pdf",
    ".fuzz",
    ".png",
    ".jpg",
    ".jpeg",
    ".tif",
    ".tiff",
    ".webp",
    ".gif",
    ".bmp",
    ".heic",
    ".docx",
    ".pptx",
    ".xlsx",
    ".odt",
    ".odp",
    ".ods",
    ".epub",
    ".html",
    ".md",
    ".csv",
    ".txt",
    ".eml",
    ".msg",
    ".rtf",
}
MOST_BYTES = 400_000
_MOMENT = re.compile(rb"\d{4}-\d\d-\d\dT[\d:]+Z")
_BOUNDARY = re.compile(rb"===============\d+==")
SLIP_PIXELS = (520, 230)
HTML = """<html><head><title>Tides</title></head><body><h1>Tides</h1><p>High water at <b>six</b>.</p>
<table><tr><th>Day</th><th>Level</th></tr><tr><td rowspan="2">Monday</td><td>412</td></tr><tr><td>398</td></tr></table>
<ul><li>north<ul><li>gauge</li></ul></li></ul><img src="chart.png" alt="a chart"></body></html>"""
MAIL = """From: warden@example.org
To: neighbours@example.org
Subject: The bridge
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary="weir"

--weir
Content-Type: text/plain; charset=utf-8

The bridge is closed until Friday.
--weir
Content-Type: text/html; charset=utf-8

<p>The bridge is closed until <i>Friday</i>.</p>
--weir--
"""
RTF = r"{\rtf1\ansi{\fonttbl{\f0 Times;}}\f0\fs24 {\b Tides}\par High water at six.\par\trowd\cellx900 412\cell\row}"
MARKDOWN = "# Tides\n\n| Day | Level |\n|---|---|\n| Monday | 412 |\n\n- north\n  - gauge\n\n```\ncode\n```\n"


@dataclass(frozen=True, slots=True)
class Seed:
    """A sound document, by its file name."""

    name: str
    data: bytes


def own_seeds() -> list[Seed]:
    """Return the documents that are drawn here."""
    drawn = [Seed(name, make()) for name, make in _MADE.items()]
    return [*drawn, *_plans(), *_pdfs(), *_pictures()]


def given_seeds(folder: Path) -> list[Seed]:
    """Return the small documents below a folder."""
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and 0 < p.stat().st_size <= MOST_BYTES)
    # Under names of our own: a scorecard does not tell what others' files are called.
    return [Seed(f"given-{number:03}{path.suffix.lower()}", path.read_bytes()) for number, path in enumerate(found)]


def fingerprint(seeds: Sequence[Seed]) -> str:
    """Return a short digest of the seeds by names and sizes, because some drawings are random."""
    told = "\n".join(f"{seed.name} {len(seed.data)}" for seed in seeds)
    return hashlib.sha256(told.encode()).hexdigest()[:8]


def _plans() -> list[Seed]:
    """Return the document whose reading `bench.formats` checks, in every format."""
    with TemporaryDirectory() as folder:
        made = []
        for extension, write in WRITERS.items():
            path = Path(folder, f"plan.{extension}")
            write(path, plan())
            data = path.read_bytes()
            data = _settled(io.BytesIO(data)) if data.startswith(b"PK") else _BOUNDARY.sub(b"weir", data)
            made.append(Seed(path.name, data))
        return made


def _pdfs() -> list[Seed]:
    with TemporaryDirectory() as folder:
        path = Path(folder, "sample.pdf")
        samples = {}
        for name, make in (("report", make_report), ("columns", make_two_columns)):
            make(path)
            samples[name] = path.read_bytes()
    report, columns = samples.values()
    made = {
        **samples,
        "report-plain": _saved(report, expand=255, pretty=True),
        "columns-plain": _saved(columns, expand=255, pretty=True),
        "report-packed": _saved(report, use_objstms=1, deflate=True),
        "columns-encrypted": _saved(columns, encryption=pymupdf.PDF_ENCRYPT_RC4_128, owner_pw="weir"),
        "marked": _marked(columns),
        "slip": _scan(),
    }
    return [Seed(f"{name}.pdf", data) for name, data in made.items()]


def _saved(data: bytes, **how: object) -> bytes:
    with pymupdf.open("pdf", data) as document:
        # What is encrypted depends on it, and by default it is made by chance.
        document.xref_set_key(-1, "ID", f"[<{'0' * 32}><{'0' * 32}>]")
        saved: bytes = document.tobytes(no_new_id=True, **how)
        return saved


def _marked(data: bytes) -> bytes:
    """Return a PDF with rarer features: a rotated page within a page, an outline, links, a form field."""
    with pymupdf.open() as document, pymupdf.open("pdf", data) as other:
        page = document.new_page(width=400, height=500)
        page.show_pdf_page(pymupdf.Rect(20, 20, 380, 300), other, 0, rotate=90)
        page.insert_link({"kind": pymupdf.LINK_URI, "from": pymupdf.Rect(20, 20, 90, 40), "uri": "http://192.0.2.1/"})
        field = pymupdf.Widget()
        field.rect, field.field_type = pymupdf.Rect(20, 320, 200, 340), pymupdf.PDF_WIDGET_TYPE_TEXT
        field.field_name, field.field_value = "level", "412"
        page.add_widget(field)
        page.add_highlight_annot(pymupdf.Rect(20, 350, 200, 370))
        page.insert_text((20, 365), "High water at six.")
        page.set_rotation(270)
        document.set_toc([[1, "Tides", 1]])
        saved: bytes = document.tobytes(no_new_id=True, deflate=True)
        return saved


def _slip() -> Image.Image:
    """Return a small scan: two lines of a receipt."""
    sheets = Sheets()
    page = sheets.page()
    page.text("Rye bread 4.20", TITLE)
    page.text("Paid by card. Thank you!", BODY)
    return sheets.pixels(0, 110).crop((80, 90, 80 + SLIP_PIXELS[0], 90 + SLIP_PIXELS[1]))


def _scan() -> bytes:
    with pymupdf.open() as document:
        page = document.new_page(width=340, height=150)
        page.insert_image(page.rect, stream=_image("JPEG"))
        data: bytes = document.tobytes(no_new_id=True)
        return data


def _image(kind: str, **how: object) -> bytes:
    buffer = io.BytesIO()
    _slip().save(buffer, kind, **how)
    return buffer.getvalue()


def _pictures() -> list[Seed]:
    two = {"save_all": True, "append_images": [_slip().rotate(180)]}
    return [
        Seed("slip.png", _image("PNG")),
        Seed("slip.jpg", _image("JPEG", quality=70)),
        Seed("slip.tiff", _image("TIFF", compression="tiff_lzw", **two)),
        Seed("fax.tiff", _tiff_of_fax()),
        Seed("slip.webp", _image("WEBP", quality=60)),
        Seed("slip.gif", _image("GIF")),
        Seed("slip.bmp", _image("BMP")),
        Seed("slip.heic", _heic()),
    ]


def _heic() -> bytes:
    buffer = io.BytesIO()
    pillow_heif.from_pillow(_slip()).save(buffer, quality=60)
    return buffer.getvalue()


def _tiff_of_fax() -> bytes:
    buffer = io.BytesIO()
    _slip().convert("1").save(buffer, "TIFF", compression="group4")
    return buffer.getvalue()


def _docx() -> bytes:
    document, buffer = docx.Document(), io.BytesIO()
    document.add_heading("Tides", 1)
    document.add_paragraph("High water at six.")
    document.add_paragraph("north", style="List Bullet")
    table = document.add_table(2, 2)
    table.cell(0, 0).merge(table.cell(0, 1)).text = "Level"
    document.save(buffer)
    return _settled(buffer)


def _xlsx() -> bytes:
    book, buffer = openpyxl.Workbook(), io.BytesIO()
    sheet = book.worksheets[0]
    for row in (("Day", "Level"), ("Monday", 412), ("Tuesday", 398)):
        sheet.append(row)
    sheet.merge_cells("A4:B4")
    book.save(buffer)
    return _settled(buffer)


def _pptx() -> bytes:
    slides, buffer = pptx.Presentation(), io.BytesIO()
    slide = slides.slides.add_slide(slides.slide_layouts[1])
    slide.shapes.title.text = "Tides"
    slide.placeholders[1].text = "High water at six."
    slides.save(buffer)
    return _settled(buffer)


def _epub() -> bytes:
    container = (
        '<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
        '<rootfile full-path="book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
    )
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf" version="3.0"><metadata/><manifest>'
        '<item id="a" href="a.xhtml" media-type="application/xhtml+xml"/></manifest>'
        '<spine><itemref idref="a"/></spine></package>'
    )
    page = '<html xmlns="http://www.w3.org/1999/xhtml"><body><h1>Tides</h1><p>High water.</p></body></html>'
    return zipped(
        {
            "mimetype": b"application/epub+zip",
            "META-INF/container.xml": container.encode(),
            "book.opf": package.encode(),
            "a.xhtml": page.encode(),
        }
    )


def _odt() -> bytes:
    content = (
        '<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
        'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" office:version="1.3"><office:body><office:text>'
        '<text:h text:outline-level="1">Tides</text:h><text:p>High water at six.</text:p>'
        "</office:text></office:body></office:document-content>"
    )
    return zipped({"mimetype": b"application/vnd.oasis.opendocument.text", "content.xml": content.encode()})


def _settled(written: io.BytesIO) -> bytes:
    """Return an office file without the moment at which it was written: the same seed is the same bytes."""
    with zipfile.ZipFile(written) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    return zipped({name: _MOMENT.sub(b"2026-01-01T00:00:00Z", data) for name, data in members.items()})


def zipped(members: dict[str, bytes]) -> bytes:
    """Return a ZIP file of these members; one called `mimetype` is stored as it is, which is how it is found."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_STORED if name == "mimetype" else zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return buffer.getvalue()


_MADE: dict[str, Callable[[], bytes]] = {
    "tides.docx": _docx,
    "tides.xlsx": _xlsx,
    "tides.pptx": _pptx,
    "tides.epub": _epub,
    "tides.odt": _odt,
    "tides.html": HTML.encode,
    "tides.eml": MAIL.encode,
    "tides.rtf": RTF.encode,
    "tides.md": MARKDOWN.encode,
    "tides.csv": lambda: b"day;level\nMonday;412\n",
}
