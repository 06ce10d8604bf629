"""Help says what each command is for and what to type."""

from typing import cast

import pytest
import typer
from typer.core import TyperGroup as Group

from octavo.cli.app import app
from tests.unit.cli.conftest import Octavo


def _commands(group: Group, *above: str) -> list[list[str]]:
    found: list[list[str]] = []
    for name, command in group.commands.items():
        found += _commands(command, *above, name) if isinstance(command, Group) else [[*above, name]]
    return found


COMMANDS = _commands(cast(Group, typer.main.get_command(app)))


def test_the_first_page_shows_the_way_from_start_to_result(octavo: Octavo) -> None:
    shown = octavo("--help").stdout
    for example in (
        "octavo up",
        "octavo keys create --customer acme",
        "octavo submit scans/ --key KEY",
        "octavo doctor",
    ):
        assert example in shown
    for command, *_ in COMMANDS:
        assert f" {command} " in shown


def test_all_that_was_promised_is_there() -> None:
    for command in (["up"], ["keys", "create"], ["submit"], ["extract"], ["doctor"]):
        assert command in COMMANDS


def test_without_a_command_the_help_is_shown(octavo: Octavo) -> None:
    assert "octavo up" in octavo().output


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_shows_an_example_of_itself(octavo: Octavo, command: list[str]) -> None:
    found = octavo(*command, "--help")
    assert found.exit_code == 0
    assert f"octavo {' '.join(command)}" in found.stdout.partition("Usage:")[2].partition("\n")[2]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_option_says_what_it_is_for(octavo: Octavo, command: list[str]) -> None:
    shown = octavo(*command, "--help").stdout
    options = [line for line in shown.splitlines() if line.lstrip("│* ").startswith("--")]
    assert options
    assert not [line for line in options if len(line.strip("│ ").split("  ")) < 2]


def test_the_version_is_told(octavo: Octavo) -> None:
    from octavo import __version__

    assert octavo("--version").stdout == f"{__version__}\n"
