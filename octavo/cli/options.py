"""Options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

DataOption = Annotated[
    Path | None,
    typer.Option("--data", help="Data directory of the stack; .octavo if not given.", metavar="DIR"),
]

KeyOption = Annotated[
    str | None,
    typer.Option(
        "--key", envvar="OCTAVO_KEY", help="API key, made by `octavo keys create`; asked for if it is not given."
    ),
]
UrlOption = Annotated[str, typer.Option("--url", envvar="OCTAVO_URL", help="Address of the service.")]
OutOption = Annotated[Path, typer.Option("--out", help="Folder for the results.", metavar="FOLDER")]
AllOption = Annotated[bool, typer.Option("--all", help="Show every file, not only those that did not succeed.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one line of JSON per file.")]
FailOption = Annotated[bool, typer.Option("--fail-on-error", help="Exit with 3 if a file did not succeed.")]
