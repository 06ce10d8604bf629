import base64
import json
from dataclasses import replace
from typing import Any

from octavo.documents import Document
from octavo.identifiers import ResultId
from octavo.render.extract_page import MAX_INLINE_IMAGE_BYTES, render_extract_page
from octavo.render.figure_images import ImagesInMemory
from tests.unit.render.documents import PNG, one_of_everything

RESULT = ResultId("result_1")


def rendered(
    document: Document, *, image: bytes = PNG, extract_text: bool = True, extract_images: bool = True
) -> dict[str, Any]:
    return render_extract_page(
        document,
        ImagesInMemory([image]),
        result_id=RESULT,
        engine="fast",
        extract_text=extract_text,
        extract_images=extract_images,
    )


def chunks(kind: str, result: dict[str, Any]) -> list[dict[str, Any]]:
    return [chunk for chunk in result["chunks"] if chunk["chunk_type"] == kind]


def test_chunks_come_in_reading_order_and_survive_json() -> None:
    result = rendered(one_of_everything())
    kinds = [chunk["chunk_type"] for chunk in result["chunks"]]
    assert kinds == ["text"] * 5 + ["image", "text", "table"] + ["text"] * 5
    assert json.loads(json.dumps(result)) == result


def test_every_chunk_has_text_page_box_and_kind() -> None:
    for chunk in rendered(one_of_everything())["chunks"]:
        assert isinstance(chunk["page_content"], str)
        assert chunk["page_no"] in (1, 3)
        assert chunk["bbox"] == [72, 90, 200, 104]


def test_confidence_stands_on_recognised_text_only() -> None:
    texts = chunks("text", rendered(one_of_everything()))
    assert [chunk["confidence"] for chunk in texts if "confidence" in chunk] == [88.5]
    assert texts[-1]["page_content"] == "read by machine"


def test_level_stands_on_headings_only() -> None:
    texts = chunks("text", rendered(one_of_everything()))
    assert [(chunk["role"], chunk["level"]) for chunk in texts if "level" in chunk] == [("heading", 2)]


def test_a_table_is_markdown_with_its_cells_beside_it() -> None:
    (table,) = chunks("table", rendered(one_of_everything()))
    assert table["page_content"].splitlines()[:2] == ["| Mean |  |", "| --- | --- |"]
    assert r"a\|b" in table["page_content"]
    assert "<script" not in table["page_content"]
    assert (table["n_rows"], table["n_cols"], table["merged_from_pages"]) == (2, 2, [1, 3])
    assert table["cells"][0] == {
        "text": "Mean", "row": 0, "col": 0, "row_span": 1, "col_span": 2,
        "bbox": [72, 90, 200, 104], "page_no": 1,
    }  # fmt: skip
    assert table["cells"][1]["confidence"] == 91.5


def test_a_table_that_was_not_joined_does_not_name_pages() -> None:
    document = one_of_everything()
    alone = replace(document, tables=(replace(document.tables[0], merged_from_pages=()),))
    assert "merged_from_pages" not in chunks("table", rendered(alone))[0]


def test_a_small_image_is_inline() -> None:
    (image,) = chunks("image", rendered(one_of_everything()))
    assert base64.b64decode(image["image_b64"]) == PNG
    assert "image_url" not in image
    assert (image["page_content"], image["image_mime"]) == ("", "image/png")
    assert (image["image_width"], image["image_height"]) == (40, 20)


def test_an_image_at_the_limit_is_inline_and_one_byte_more_is_linked() -> None:
    (at,) = chunks("image", rendered(one_of_everything(), image=bytes(MAX_INLINE_IMAGE_BYTES)))
    (over,) = chunks("image", rendered(one_of_everything(), image=bytes(MAX_INLINE_IMAGE_BYTES + 1)))
    assert "image_b64" in at
    assert over["image_url"] == "/v1/results/result_1/images/0"
    assert "image_b64" not in over


def test_without_text_only_images_remain() -> None:
    result = rendered(one_of_everything(), extract_text=False)
    assert {chunk["chunk_type"] for chunk in result["chunks"]} == {"image"}
    assert not any(page["ocr"] for page in result["pages"]), "as no recognised text is shown"


def test_without_images_none_remain() -> None:
    assert chunks("image", rendered(one_of_everything(), extract_images=False)) == []


def test_pages_say_how_reading_went() -> None:
    result = rendered(one_of_everything())
    assert (result["object"], result["page_count"], result["engine"]) == ("extraction", 3, "fast")
    assert result["warnings"] == ["page 2 could not be read"]
    assert [page["status"] for page in result["pages"]] == ["ok", "failed", "ok"]
    assert result["pages"][2] == {
        "page_no": 3, "width": 842, "height": 595, "rotation": 90, "ocr": True, "status": "ok",
    }  # fmt: skip
