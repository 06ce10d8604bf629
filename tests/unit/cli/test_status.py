"""`octavo status`: the state of the running stack, part by part, in words."""

import json
from pathlib import Path
from typing import Any

import pytest

from octavo.directory import DataDirectory
from tests.unit.cli.conftest import Octavo
from tests.unit.cli.test_serving import Health, service

PAUSED = "the work pool octavo is paused in Prefect; no new run begins until it is resumed there"


def health(status: str, message: str | None) -> Health:
    found = Health()
    work = {"status": "ok" if message is None else "down", "message": message, "milliseconds": None}
    found.status = 200
    body: dict[str, Any] = {
        "status": status,
        "version": "0.1.0",
        "api_url": "http://octavo.example",
        "parts": {"ledger": {"status": "ok", "message": None}, "work": work},
        "workers": ["embedded"],
    }
    found.body = body
    return found


@pytest.mark.parametrize(("status", "message", "exit_code"), [("ok", None, 0), ("degraded", PAUSED, 1)])
def test_each_part_is_shown_and_what_keeps_batches_waiting(
    octavo: Octavo, tmp_path: Path, status: str, message: str | None, exit_code: int
) -> None:
    directory = DataDirectory(tmp_path / "data")
    directory.prepare()
    with service(health(status, message)) as port:
        directory.write_notes(internal_api_url=f"http://127.0.0.1:{port}")
        shown = octavo("status", "--data", directory.path)
        as_json = octavo("status", "--data", directory.path, "--json")
    assert (shown.exit_code, as_json.exit_code) == (exit_code, exit_code)
    assert shown.stdout.splitlines()[0] == f"{status}: http://octavo.example, version 0.1.0"
    # A narrow terminal folds the message inside its column.
    assert (message or "embedded") in " ".join(shown.stdout.split())
    assert json.loads(as_json.stdout)["status"] == status


def test_a_stack_that_does_not_answer_is_told_with_how_to_start_it(octavo: Octavo, tmp_path: Path) -> None:
    refused = octavo("status", "--data", tmp_path / "never")
    assert refused.exit_code == 1
    assert f"octavo up --data {tmp_path / 'never'}" in refused.stderr
