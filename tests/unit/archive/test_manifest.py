"""Manifests of batches, also those that an earlier version has written."""

import json

from octavo.archive.format import MANIFEST
from octavo.batch_options import BatchOptions, Dialect, ExtractPageOptions
from octavo.batches import NewItem, Source
from octavo.parse_options import ParseOptions

BEFORE_DIALECTS = {
    "batch_id": "batch_1",
    "customer_id": "cust_1",
    "engine": None,
    "options": {
        "extract_text": True,
        "extract_images": False,
        "ocr": "auto",
        "engine": "fast",
        "engine_version": "3",
    },
    "metadata": {"box": 7},
    "priority": 60,
    "retention_seconds": 259200,
    "created_at": "2026-11-23T05:06:07.000008Z",
    "idempotency_key": "k",
    "body_digest": "digest",
    "keyed_at": "2026-11-23T05:06:07.000008Z",
    "items": [["item_1", "file_1"], ["item_2", "file_2"]],
    "files": [
        {
            "file_id": file_id,
            "customer_id": "cust_1",
            "status": "ready",
            "filename": filename,
            "content_type": None,
            "size_bytes": 5,
            "sha256": None,
            "object_key": f"in/{file_id}",
            "created_at": "2026-11-23T05:06:07.000008Z",
            "expires_at": "2026-11-26T05:06:07.000008Z",
        }
        for file_id, filename in (("file_1", "a.pdf"), ("file_2", None))
    ],
}


def test_a_manifest_of_before_dialects_is_read() -> None:
    found = MANIFEST.load(json.dumps(BEFORE_DIALECTS).encode())
    options = BatchOptions.of_values(found.options)
    assert options == BatchOptions(
        parse=ParseOptions(engine="fast", engine_version="3"), shown=ExtractPageOptions(extract_images=False)
    )
    assert options.dialect is Dialect.EXTRACT_PAGE
    assert options.to_values() == BEFORE_DIALECTS["options"]
    assert found.all_inputs() == (
        NewItem(source=Source(file_id=found.items[0][1], name="a.pdf")),
        NewItem(source=Source(file_id=found.items[1][1])),
    )


def test_a_manifest_is_read_as_it_was_written() -> None:
    found = MANIFEST.load(json.dumps(BEFORE_DIALECTS).encode())
    assert MANIFEST.load(MANIFEST.dump(found)) == found
