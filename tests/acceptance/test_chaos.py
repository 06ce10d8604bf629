"""The kill test in short: ten kills, sixty items. `bench/chaos.py` does the same at length, with real documents."""

import random
import secrets
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bench.aftermath import books, left_on_disk, settle
from bench.killer import Blows, Killer, belonging_to
from octavo.client.inputs import Input
from octavo.client.results_folder import ItemEnd
from octavo.client.submission import Progress, submit
from octavo.samples import make_samples
from tests.acceptance.stack import Stack, new_stack

BLOWS = Blows(kills=10, pause=(0.5, 2.5), stop_share=0.2, stop_seconds=4.0)
SEED = 7
ENDINGS = {"locked.pdf": "extraction_failed", "damaged.pdf": "extraction_failed", "note.pdf": "unsupported_input"}
CUSTOMER = "struck"


@pytest.fixture
def temporary() -> Iterator[Path]:
    """Yield the folder for temporary files of a stack."""
    with tempfile.TemporaryDirectory(prefix="octavo-chaos-") as folder:
        yield Path(folder)


@pytest.fixture
def own(tmp_path: Path, temporary: Path) -> Iterator[Stack]:
    found = new_stack(tmp_path / "data", TMPDIR=str(temporary))
    found.start()
    yield found
    found.stop()


def sample_inputs(folder: Path, items: int) -> list[Input]:
    samples = make_samples(folder)
    return [
        Input(samples[number % len(samples)], f"{number}-{samples[number % len(samples)].name}")
        for number in range(items)
    ]


def sleeping_inputs(folder: Path, items: int) -> list[Input]:
    folder.mkdir()
    for number in range(items):
        (folder / f"{number}.txt").write_bytes(secrets.token_bytes(64))
    return [Input(path, path.name) for path in sorted(folder.iterdir())]


@pytest.mark.timeout(900)
def test_ten_kills_change_no_outcome_bill_nothing_twice_and_leave_nothing_over(
    own: Stack, tmp_path: Path, temporary: Path
) -> None:
    assert own.process is not None
    killer = Killer(own.process.pid, BLOWS, random.Random(SEED), tell=lambda _: None)
    submitted: list[object] = []

    def note(batch: object) -> None:
        """Strike once both batches are there: what is not submitted yet has nobody to look after it."""
        submitted.append(batch)
        if len(submitted) == 2:
            killer.start()

    def go(inputs: list[Input], engine: str | None) -> list[ItemEnd]:
        progress = Progress(lambda _: None, note, lambda _: None, lambda _: None)
        with own.customer(CUSTOMER) as client:
            return submit(client, inputs, tmp_path / f"out-{engine}", engine=engine, progress=progress)

    with ThreadPoolExecutor(2) as pool:
        sampled = pool.submit(go, sample_inputs(tmp_path / "samples", 28), None)
        slept = pool.submit(go, sleeping_inputs(tmp_path / "sleeping", 32), "sleep:4")
        ends = sampled.result() + slept.result()
    while killer.goes_on:
        ends += go(sleeping_inputs(tmp_path / secrets.token_hex(4), 8), "sleep:1")
    killer.end()

    outcomes = {end.input.name: end.error["code"] if end.error else end.status for end in ends}
    assert len(ends) >= 60
    assert outcomes == {end.input.name: ENDINGS.get(end.input.path.name, "succeeded") for end in ends}
    assert all(end.result is not None for end in ends if end.status == "succeeded")
    left = settle(own.data, temporary, own.process.pid)
    own.stop()
    assert (left["processes"], left["files"]) == ([], [])
    assert not belonging_to(own.data)
    assert not left_on_disk(own.data, temporary, is_running=False)
    ledger = books(own.data, CUSTOMER)
    assert ledger.problems == []
    assert ledger.succeeded_items == sum(end.status == "succeeded" for end in ends)
    assert ledger.pages_billed == sum(end.page_count or 0 for end in ends)
    assert killer.kills.total() == BLOWS.kills
