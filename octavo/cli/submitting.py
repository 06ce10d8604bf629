"""`octavo submit` and `octavo fetch`: a submission with progress bars for people or JSON lines for programs."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import typer

from octavo.cli.batch_bars import with_bars
from octavo.cli.terminal import err, item_table, out, own_command, shell_word, warn
from octavo.client.customer import CustomerClient, Refused
from octavo.client.inputs import Skipped, find_inputs
from octavo.client.names import printable
from octavo.client.results_folder import ItemEnd, as_row
from octavo.client.submission import fetch as fetch_batch
from octavo.client.submission import submit as submit_inputs
from octavo.errors import InvalidSettings, OctavoError

MOST_SHOWN = 50
"""Failures that are printed; more than a screen is looked for in `items.jsonl`."""
MOST_SKIPPED_SHOWN = 20
QUIET_SECONDS = 15.0
"""How long after one line about a service that does not answer the next may follow."""
UNAUTHORIZED = 401
EXIT_USAGE = 2


def submit(
    paths: list[Path], *, key: str | None, url: str, out_folder: Path, engine: str | None, follow_links: bool
) -> list[ItemEnd]:
    """Submit files, follow them to their end and return how each ended. Raises OctavoError."""
    check_address(url)
    key = check_key(_given_or_asked(key))
    skipped: list[Skipped] = []
    try:
        inputs = find_inputs(paths, follow_links=follow_links, on_skipped=skipped.append)
    finally:
        _tell_skipped(skipped)
    with _client(url, key) as client, _continued(url, out_folder) as submitted:
        return with_bars(
            len(inputs),
            lambda progress: submit_inputs(client, inputs, out_folder, engine=engine, progress=progress),
            on_submitted=submitted.append,
        )


def fetch(batch_id: str, *, key: str | None, url: str, out_folder: Path) -> list[ItemEnd]:
    """Follow a batch to its end, write the results that are missing, and return how each file ended.

    Raises OctavoError.
    """
    check_address(url)
    key = check_key(_given_or_asked(key))
    with _client(url, key) as client, _continued(url, out_folder) as submitted:
        total = client.batch(batch_id)["total_items"]
        submitted.append(batch_id)
        return with_bars(total, lambda progress: fetch_batch(client, batch_id, out_folder, progress), uploads=False)


def show(ends: list[ItemEnd], out_folder: Path, *, as_json: bool, show_all: bool) -> bool:
    """Print how the files ended, the summary first; return whether every one succeeded and has its result."""
    wrong = [end for end in ends if end.status != "succeeded" or end.result is None or end.failed_pages]
    if as_json:
        for end in ends:
            out.print(json.dumps(as_row(end)), markup=False)
        err.print(summary(ends, out_folder), markup=False)
    else:
        out.print(summary(ends, out_folder), markup=False)
        _show_rows(ends if show_all else wrong[:MOST_SHOWN])
        if not show_all and len(wrong) > MOST_SHOWN:
            left = len(wrong) - MOST_SHOWN
            out.print(f"and {left:,} more; --all shows every file, and so does {_list(out_folder)}", markup=False)
    return all(end.status == "succeeded" and end.result is not None for end in ends)


def summary(ends: list[ItemEnd], out_folder: Path) -> str:
    """Return in one line how many files ended in which way, and where the results are."""
    counts = {status: sum(end.status == status for end in ends) for status in ("succeeded", "failed", "cancelled")}
    pages = sum(end.page_count or 0 for end in ends)
    holes = sum(end.failed_pages for end in ends)
    lost = sum(end.status == "succeeded" and end.result is None for end in ends)
    others = [f"{count:,} {status}" for status, count in counts.items() if status != "succeeded" and count]
    others += [f"{lost:,} without a result"] if lost else []
    read = f"{pages:,} pages" + (f", of which {holes:,} could not be read" if holes else "")
    told = "; ".join([f"{counts['succeeded']:,} of {_files(len(ends))} succeeded, {read}", *others])
    return f"{told}. Results are in {printable(str(out_folder))}, the list of all files in {_list(out_folder)}"


def _list(out_folder: Path) -> str:
    return printable(str(out_folder / "items.jsonl"))


def _show_rows(ends: list[ItemEnd]) -> None:
    if ends:
        out.print(item_table(ends))


def check_address(url: str) -> None:
    """Refuse what is not the address of a service. Raises InvalidSettings."""
    try:
        is_one = httpx.URL(url).scheme in ("http", "https") and bool(httpx.URL(url).host) and not set(url) & set(" \n")
    except httpx.InvalidURL:
        is_one = False
    if not is_one:
        raise InvalidSettings(f"{url!r} is not the address of a service; give one like http://HOST:PORT (--url).")


def check_key(key: str) -> str:
    """Return a key, but refuse what cannot be sent in a header. Raises InvalidSettings."""
    # Not shown: it may be mostly right, and terminals are recorded.
    if not key.isascii() or not key.isprintable() or " " in key or not key:
        raise InvalidSettings("This is not an API key; create one: octavo keys create --customer NAME")
    return key


def _given_or_asked(key: str | None) -> str:
    """Return the key; somebody at a terminal is asked for it, so that a line to paste needs to show none."""
    if key is not None:
        return key
    if sys.stdin.isatty():
        return str(typer.prompt("API key", hide_input=True, err=True)).strip()
    err.print("octavo: An API key is missing: give --key KEY or set OCTAVO_KEY; `octavo keys create` makes one.")
    raise typer.Exit(EXIT_USAGE)


@contextmanager
def _client(url: str, key: str) -> Iterator[CustomerClient]:
    """Yield a client whose troubles are told, a wrong key in the words of the command line."""
    try:
        with CustomerClient(url, key, on_trouble=Outage(warn)) as client:
            yield client
    except Refused as refusal:
        if refusal.facts.get("status") != UNAUTHORIZED:
            raise
        raise InvalidSettings(
            f"{url} does not know this API key. Check --key or OCTAVO_KEY (and --url); "
            "the operator creates keys: octavo keys create --customer NAME"
        ) from refusal


class Outage:
    """Tells of a service that does not answer at once, and then now and again."""

    def __init__(self, tell: Callable[[str], None], *, quiet_seconds: float = QUIET_SECONDS) -> None:
        self._tell = tell
        self._quiet_seconds = quiet_seconds
        self._told = float("-inf")

    def __call__(self, trouble: str) -> None:
        """Take note of an answer that was none."""
        moment = time.monotonic()
        if moment - self._told >= self._quiet_seconds:
            self._told = moment
            self._tell(trouble)


@contextmanager
def _continued(url: str, out_folder: Path) -> Iterator[list[str]]:
    """Yield a list for the ids of batches; if following them is interrupted, say how to go on."""
    submitted: list[str] = []
    try:
        yield submitted
    except (KeyboardInterrupt, OctavoError, OSError):
        for batch_id in submitted:
            err.print(f"The batch goes on by itself. This fetches what is missing: {resume(batch_id, url, out_folder)}")
        raise


def resume(batch_id: str, url: str, out_folder: Path) -> str:
    """Return the command that continues; it shows no key, but takes OCTAVO_KEY or asks for it."""
    words = ["fetch", shell_word(batch_id), "--url", shell_word(url), "--out", shell_word(str(out_folder))]
    return " ".join([own_command(), *words])


def _tell_skipped(skipped: list[Skipped]) -> None:
    for one in skipped[:MOST_SKIPPED_SHOWN]:
        warn(f"skipped {one.path}: {one.reason}")
    if len(skipped) > MOST_SKIPPED_SHOWN:
        warn(f"skipped {len(skipped) - MOST_SKIPPED_SHOWN:,} more")


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count:,} files"
