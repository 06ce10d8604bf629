"""What is printed and how: results on stdout, everything else on stderr; each error on one line."""

import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from octavo.client.names import printable
from octavo.client.results_folder import ItemEnd
from octavo.errors import OctavoError, OperationError

# File names and messages are printed literally, even `:bomb:`.
# A file or a pipe has no edge at which lines would have to be folded.
WIDE = None if sys.stdout.isatty() or "COLUMNS" in os.environ else 240
out = Console(soft_wrap=True, highlight=False, emoji=False, width=WIDE)
err = Console(stderr=True, soft_wrap=True, highlight=False, emoji=False)
COMMAND_TO_TYPE = re.compile(r"(?<![\w/`-])octavo (?=(?:up|keys|customers|ledger) [-a-z])")
"""Where a message tells what to type; the program may not be on the path."""
EXIT_ERROR = 1
EXIT_SOME_FAILED = 3
EXIT_LASTING_ERROR = os.EX_CONFIG
COLOURS = {"succeeded": "green", "failed": "red", "cancelled": "yellow"}


def own_command() -> str:
    """Return how to call this program from here: by name if it is on the path, else by its path."""
    if shutil.which("octavo"):
        return "octavo"
    path = Path(sys.executable).parent / "octavo"
    return shell_word(str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path))


def shell_word(text: str) -> str:
    """Return text as one word of a POSIX shell; what a terminal cannot show is written as bash, zsh and ksh read it."""
    if printable(text) == text:
        return shlex.quote(text)
    # Every escape has three digits, so that what follows is never taken for a part of it.
    return "$'" + re.sub(rb"[^ -&(-\[\]-~]", lambda found: rb"\%03o" % found[0][0], os.fsencode(text)).decode() + "'"


@contextmanager
def errors_in_one_line() -> Iterator[None]:
    """Print an Octavo or operating system error on one line and exit with 1; a bug keeps its traceback.

    The exit code is 78 for what lasts until somebody does something, so that whoever supervises this leaves it.
    """
    try:
        yield
    except OctavoError as error:
        _tell_error(error.message)
        is_lasting = isinstance(error, OperationError) and error.is_lasting
        raise typer.Exit(EXIT_LASTING_ERROR if is_lasting else EXIT_ERROR) from error
    except OSError as error:
        _tell_error(f"{error.strerror}: {error.filename}" if error.filename else str(error))
        raise typer.Exit(EXIT_ERROR) from error
    except KeyboardInterrupt as error:
        raise typer.Exit(130) from error


def _tell_error(message: str) -> None:
    told = COMMAND_TO_TYPE.sub(lambda found: own_command() + " ", " ".join(message.split()))
    err.print(f"octavo: {printable(told)}", style="red", markup=False)


def warn(message: str) -> None:
    """Print something that people should know, on a line of its own."""
    err.print(f"octavo: {printable(message)}", style="yellow", markup=False)


def tell(name: str, what: str) -> None:
    """Print one state change of the stack."""
    moment = datetime.now().astimezone().strftime("%H:%M:%S")
    # The terminal may be gone; the stack continues, or stops in order, without it. (The console itself
    # answers a broken pipe by ending the process.)
    with suppress(OSError):
        typer.echo(f"{moment}  {name:<8} {what}", err=True)


def progress_bars() -> Progress:
    """Return progress bars on stderr; without a terminal they print nothing."""
    return Progress(
        TextColumn("{task.description:<10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
        console=err,
        disable=not sys.stderr.isatty(),
    )


def item_table(ends: Sequence[ItemEnd]) -> Table:
    """Return a table with one row per file."""
    table = Table(box=None, pad_edge=False)
    for heading in ("file", "status", "pages", "chunks", "result or error"):
        table.add_column(heading, justify="right" if heading in ("pages", "chunks") else "left", overflow="fold")
    for end in ends:
        table.add_row(
            Text(printable(end.input.name)),
            Text(end.status, style=COLOURS.get(end.status, "white")),
            "" if end.page_count is None else str(end.page_count),
            "" if end.chunk_count is None else str(end.chunk_count),
            Text(printable(_result_or_error(end))),
        )
    return table


def _result_or_error(end: ItemEnd) -> str:
    if end.error:
        return f"{end.error.get('code')}: {end.error.get('message')}"
    return "; ".join((str(end.result), *end.warnings)) if end.result else ""
