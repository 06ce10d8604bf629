"""Commands of the documentation can be pasted: they parse, name programs that are there, and set what they use."""

import re
import shlex
import shutil
import subprocess

import pytest
import typer
from typer.core import TyperGroup as Group

from octavo.cli.app import app
from tests.acceptance.shell_blocks import ShellBlock, shell_blocks

BLOCKS = shell_blocks()
GIVEN = {"OCTAVO_URL", "OCTAVO_KEY"}
"""Set in the README, and nowhere under another name."""
CONTAINER = "exec octavo octavo ", "exec worker octavo "
"""In Octavo's image the program is on the path."""


def test_there_are_commands() -> None:
    assert len(BLOCKS) > 30


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_a_shell_can_read_them(block: ShellBlock) -> None:
    bash = shutil.which("bash")
    assert bash is not None
    read = subprocess.run([bash, "-n"], input=block.text, capture_output=True, text=True, check=False)
    assert (read.returncode, read.stderr) == (0, "")
    # In an interactive shell an exclamation mark stands for an earlier command.
    assert "!" not in block.text


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_they_name_programs_where_a_checkout_has_them(block: ShellBlock) -> None:
    for line in block.text.splitlines():
        bare = line
        for container in CONTAINER:
            bare = bare.replace(container, "")
        assert not re.search(r"(?:^|[|&;(=]\s*|\$\()(?:octavo|prefect|uvicorn|python3?) ", bare.strip()), line


@pytest.mark.parametrize("page", sorted({block.page for block in BLOCKS}))
def test_a_page_sets_the_variables_it_uses(page: str) -> None:
    known = set(GIVEN)
    for block in BLOCKS:
        if block.page == page:
            known |= set(re.findall(r"(?:^|[ ;])([A-Z][A-Z_0-9]*)=", block.text, re.MULTILINE))
            used = set(re.findall(r"\$\{?([A-Z][A-Z_0-9]*)", block.text))
            assert used <= known, f"{block} uses {used - known}"


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_octavo_knows_the_commands_and_their_options(block: ShellBlock) -> None:
    joined = block.text.replace("\\\n", " ")
    for found in re.finditer(r"(?:\.venv/bin/octavo|exec \w+ octavo) ([^|&;)\n]*)", joined):
        words = shlex.split(found[1], comments=True)
        group = typer.main.get_command(app)
        while isinstance(group, Group):
            name, *words = words
            assert name in group.commands, found[0]
            group = group.commands[name]
        known = {option for parameter in group.params for option in parameter.opts + parameter.secondary_opts}
        assert {word.partition("=")[0] for word in words if word.startswith("--")} <= known, found[0]
