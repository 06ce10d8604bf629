"""A result as a worker leaves it in storage."""

from octavo.documents import Block, Box, Document, Figure, Page
from octavo.identifiers import CustomerId, ResultId
from octavo.objects import keys
from octavo.objects.memory import MemoryObjects
from octavo.render.figure_images import ImagesInMemory
from octavo.render.registry import ExtractPage, RenderInput

CUSTOMER, RESULT, ENGINE = CustomerId("cust_1"), ResultId("res_1"), "fast 1"
IMAGES = (b"\x89PNG small", bytes(300 * 1024))
"""The first is inline in a result, the second is linked."""


def document(*, images: int = 0, failed: bool = False, text: str = "High water") -> Document:
    pages = (Page(1, 595.0, 842.0), *((Page(2, 595.0, 842.0, status="failed", error="broken"),) if failed else ()))
    figures = tuple(
        Figure(1, number + 1, Box(0.0, 0.0, 9.0, 9.0), "image/png", width=9, height=9, image_index=number)
        for number in range(images)
    )
    return Document(
        pages=pages,
        blocks=(Block(page_no=1, order=0, role="paragraph", text=text, bbox=Box(72.0, 72.0, 300.0, 84.0)),),
        figures=figures,
    )


def rendered(of: Document, shown: ExtractPage) -> bytes:
    """What a worker that has just read the document writes."""
    return shown.render(RenderInput(of, ImagesInMemory(IMAGES), ENGINE, RESULT))


def keep(objects: MemoryObjects, stored: Document, *shown: ExtractPage) -> None:
    objects.write(keys.result_key(CUSTOMER, RESULT, "document.json"), stored.to_json().encode(), "application/json")
    for one in shown or (ExtractPage(),):
        key = keys.rendering_key(CUSTOMER, RESULT, one.name, one.options())
        objects.write(key, rendered(stored, one), "application/json")
    for figure in stored.figures:
        key = keys.result_image_key(CUSTOMER, RESULT, figure.image_index)
        objects.write(key, IMAGES[figure.image_index], "image/png")
