"""`make run`: what it shows once its stack is ready (here a stack that runs already)."""

import re
from pathlib import Path

import pytest

from octavo.cli import terminal
from octavo.cli.serving import _send_samples
from octavo.directory import DataDirectory
from octavo.settings import read_settings
from octavo.supervisor.stack import Stack as Addresses
from tests.acceptance.stack import Stack


def test_the_samples_are_sent_and_a_row_per_file_and_every_address_is_shown(
    stack: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal.out, "width", 400)  # no path is cut
    settings = read_settings(stack.data)
    settings = settings.model_copy(update={"api": settings.api.model_copy(update={"port": stack.port})})
    _send_samples(settings, Addresses(settings, DataDirectory(stack.data)), tmp_path)
    shown = capsys.readouterr().out
    rows = {line.split()[0]: line.split()[1:] for line in shown.splitlines() if ".pdf " in line or ".jpg " in line}
    for name, pages in {"report.pdf": "2", "two-columns.pdf": "1", "scan.pdf": "1", "photo.jpg": "1"}.items():
        assert rows[name][:2] == ["succeeded", pages]
        assert int(rows[name][2]) >= 1
        assert Path(rows[name][3]).exists()
    for name, code in {"damaged.pdf": "extraction_failed:", "note.pdf": "unsupported_input:"}.items():
        assert rows[name][:2] == ["failed", code]
    for line in (rf"API +{stack.url}", rf"API docs +{stack.url}/docs", r"Prefect UI +http://127\.0\.0\.1:\d+"):
        assert re.search(rf"^{line}$", shown, re.M)
    assert f"octavo submit FILES... --url {stack.url} --key " in shown
