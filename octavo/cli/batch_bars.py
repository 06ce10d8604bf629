"""Progress bars of a submission: what is uploaded, what has ended, how long it takes and why it waits."""

from collections.abc import Callable
from typing import Any

from rich.progress import TaskID

from octavo.cli.terminal import err, progress_bars
from octavo.client.inputs import Input
from octavo.client.names import printable
from octavo.client.results_folder import ItemEnd
from octavo.client.submission import Progress

REASONS = {
    "queued": "queued",
    "customer_cap": "as many files in work as your cap allows",
    "waiting_for_worker": "waiting for a worker",
}
ENDED = ("completed", "partially_failed", "failed", "cancelled")


def with_bars(
    total: int,
    work: Callable[[Progress], list[ItemEnd]],
    *,
    on_submitted: Callable[[str], None] = lambda _: None,
    uploads: bool = True,
) -> list[ItemEnd]:
    """Run a submission with a bar for the upload, if there is one, and a bar for the batch."""
    with progress_bars() as bars:
        upload: TaskID | None = bars.add_task("upload", total=total, note="") if uploads else None
        batch = bars.add_task("extract", total=total, note="")
        pages = LongItems()

        def uploaded(found: Input) -> None:
            if upload is not None:
                bars.update(upload, advance=1, note=printable(found.name))

        def submitted(body: dict[str, Any]) -> None:
            if upload is not None:
                bars.update(upload, note="")
            on_submitted(body["id"])
            count = body["total_items"]
            err.print(f"batch {body['id']}: {'1 file' if count == 1 else f'{count:,} files'}", markup=False)

        def changed(body: dict[str, Any]) -> None:
            bars.update(batch, note=note(body, pages.told(body)))

        return work(Progress(uploaded, submitted, changed, lambda _: bars.advance(batch)))


def note(body: dict[str, Any], pages: str) -> str:
    """Return what stands beside the bar: how items stand, how long the rest takes, and why it waits."""
    counts = body["counts"]
    told = [f"{counts[status]:,} {status}" for status in ("running", "failed", "cancelled") if counts.get(status)]
    told += [pages] if pages else []
    if body["status"] not in ENDED:
        # Other services tell neither.
        eta, reason = body.get("eta_seconds"), body.get("reason")
        told += [f"{_duration(eta)} left"] if eta is not None else []
        told += [REASONS.get(reason, str(reason).replace("_", " "))] if reason else []
    return ", ".join(told)


def _duration(seconds: int) -> str:
    if seconds < 90:
        return f"about {seconds} s"
    return f"about {round(seconds / 60)} min" if seconds < 90 * 60 else f"about {seconds / 3600:.1f} h"


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
        return f"{done:,} of {total:,} pages of long files" if total else ""
