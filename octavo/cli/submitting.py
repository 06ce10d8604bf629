"""`octavo submit`: a submission with progress bars for people or JSON lines for programs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from octavo.cli.terminal import err, item_table, out, own_command, progress_bars
from octavo.client.customer import CustomerClient
from octavo.client.submission import Input, ItemEnd, Progress, as_row, find_inputs
from octavo.client.submission import submit as submit_inputs
from octavo.errors import InvalidSettings


def submit(paths: list[Path], *, key: str, url: str, out_folder: Path, engine: str | None, as_json: bool) -> bool:
    """Submit files and show how they ended; return whether every one succeeded. Raises OctavoError."""
    check_address(url)
    check_key(key)
    inputs = find_inputs(paths)
    with CustomerClient(url, key) as client:
        ends = with_bars(
            len(inputs),
            lambda progress: submit_inputs(client, inputs, out_folder, engine=engine, progress=progress),
        )
    return show(ends, out_folder, as_json=as_json)


def show(ends: list[ItemEnd], out_folder: Path, *, as_json: bool) -> bool:
    """Print how the files ended; return whether every one succeeded."""
    if as_json:
        for end in ends:
            out.print(json.dumps(as_row(end)), markup=False)
    else:
        out.print(item_table(ends))
    succeeded = sum(end.status == "succeeded" for end in ends)
    pages = sum(end.page_count or 0 for end in ends)
    holes = sum(end.failed_pages for end in ends)
    read = f"{pages} pages" + (f", of which {holes} could not be read" if holes else "")
    err.print(f"{succeeded} of {_files(len(ends))} succeeded, {read}; results in {out_folder}", markup=False)
    return succeeded == len(ends)


def check_address(url: str) -> None:
    """Refuse what is not the address of a service. Raises InvalidSettings."""
    try:
        is_one = httpx.URL(url).scheme in ("http", "https") and bool(httpx.URL(url).host) and not set(url) & set(" \n")
    except httpx.InvalidURL:
        is_one = False
    if not is_one:
        raise InvalidSettings(f"{url!r} is not the address of a service; give one like http://HOST:PORT (--url).")


def check_key(key: str) -> None:
    """Refuse what cannot be sent in a header. Raises InvalidSettings."""
    # Not shown: it may be mostly right, and terminals are recorded.
    if not key.isascii() or not key.isprintable() or " " in key or not key:
        raise InvalidSettings("This is not an API key; create one: octavo keys create --customer NAME")


def with_bars(total: int, work: Callable[[Progress], list[ItemEnd]]) -> list[ItemEnd]:
    """Run a submission with two bars, one for the upload and one for the batch."""
    with progress_bars() as bars:
        upload = bars.add_task("upload", total=total, note="")
        batch = bars.add_task("extract", total=total, note="")
        ended = 0
        pages = LongItems()
        submitted: list[str] = []

        def on_uploaded(found: Input) -> None:
            bars.update(upload, advance=1, note=found.name)

        def on_submitted(body: dict[str, Any]) -> None:
            bars.update(upload, note="")
            submitted.append(body["id"])
            err.print(f"batch {body['id']}: {_files(body['total_items'])}", markup=False)

        def on_changed(body: dict[str, Any]) -> None:
            counts = body["counts"]
            note = f"{body['status']}, {counts['running']} running, {counts['failed']} failed{pages.told(body)}"
            bars.update(batch, note=note)

        def on_ended(_: ItemEnd) -> None:
            nonlocal ended
            ended += 1
            bars.update(batch, completed=ended)

        try:
            return work(Progress(on_uploaded, on_submitted, on_changed, on_ended))
        except KeyboardInterrupt:
            for batch_id in submitted:
                err.print(
                    f"The batch continues without this; fetch its results: {own_command()} fetch {batch_id}",
                    markup=False,
                )
            raise


class LongItems:
    """Progress of the long items that are running, from all responses about one batch."""

    def __init__(self) -> None:
        self._pages: dict[str, tuple[int, int]] = {}

    def told(self, body: dict[str, Any]) -> str:
        """Return the text for the bar; empty if every item is short."""
        for item in body.get("items", ()):
            self._pages.pop(item["id"], None)
            # Other services do not report pages.
            if item.get("pages_total") is not None:
                self._pages[item["id"]] = item["pages_done"], item["pages_total"]
        done, total = (sum(counts) for counts in zip(*self._pages.values(), strict=True)) if self._pages else (0, 0)
        return f", {done} of {total} pages" if total else ""


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"
