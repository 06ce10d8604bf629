"""The command line in this process, without anybody's settings."""

import os
from collections.abc import Callable

import pytest
from typer.testing import CliRunner, Result

from octavo.cli.app import app

Octavo = Callable[..., Result]


@pytest.fixture
def octavo(monkeypatch: pytest.MonkeyPatch) -> Octavo:
    for name in [name for name in os.environ if name.startswith("OCTAVO_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("NO_COLOR", "1")
    runner = CliRunner()

    def run(*arguments: object, **environment: str) -> Result:
        return runner.invoke(app, [str(argument) for argument in arguments], env=environment)

    return run
