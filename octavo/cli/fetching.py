"""`octavo fetch`: follow a batch that was submitted before, and write its results."""

from pathlib import Path
from typing import Any

from octavo.cli.submitting import check_address, check_key, show, with_bars
from octavo.client.customer import CustomerClient
from octavo.client.submission import fetch as fetch_batch


def fetch(batch_id: str, *, key: str, url: str, out_folder: Path, as_json: bool) -> bool:
    """Follow a batch to its end and write every result; return whether every file succeeded. Raises OctavoError."""
    check_address(url)
    check_key(key)
    with CustomerClient(url, key) as client:
        batch: dict[str, Any] = client.batch(batch_id)
        ends = with_bars(batch["total_items"], lambda progress: fetch_batch(client, batch_id, out_folder, progress))
    return show(ends, out_folder, as_json=as_json)
