"""All commands of `octavo`, with their help.

A command imports what it needs when it runs, so that help and version are there at once: the parsers, the ledger and
the HTTP client together take a second of processor time.
"""

from pathlib import Path
from typing import Annotated, Literal

import typer

from octavo import __version__
from octavo.cli import accounts
from octavo.cli.options import AllOption, DataOption, FailOption, JsonOption, KeyOption, OutOption, UrlOption
from octavo.cli.terminal import EXIT_SOME_FAILED, errors_in_one_line, out

Format = Literal["json", "markdown", "html"]
app = typer.Typer(
    name="octavo",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help=(
        "Documents in, structured data out, in batches.\n\n"
        "Start the whole stack:            octavo up\n\n"
        "Create a customer's API key:      octavo keys create --customer acme\n\n"
        "Send a folder through it:         octavo submit scans/ --key KEY --out results\n\n"
        "Try one file without a server:    octavo extract report.pdf\n\n"
        "Check the installation:           octavo doctor"
    ),
    epilog=(
        "Exit codes: 0 done; 1 an error, told on one line; 2 a wrong option or a missing argument; 3 finished, but "
        "something is wrong with what was found (--fail-on-error, usage audit, ledger rebuild); 130 interrupted."
    ),
)
app.add_typer(accounts.keys, name="keys")
app.add_typer(accounts.customers, name="customers")
app.add_typer(accounts.usage, name="usage")
ledger = typer.Typer(no_args_is_help=True, help="The ledger of a stack. The stack must be stopped.")
app.add_typer(ledger, name="ledger")


@app.callback(invoke_without_command=True)
def about(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Handle options that come before any command."""
    if version:
        out.print(__version__)
        raise typer.Exit


@app.command(epilog="Example: octavo up --data .octavo --port 8000")
def up(
    data: DataOption = None,
    port: Annotated[int | None, typer.Option(help="Port of the API; 8000 if not set.", min=1, max=65535)] = None,
    host: Annotated[str | None, typer.Option(help="Address to bind; 127.0.0.1 if not set.")] = None,
) -> None:
    """Run the whole stack in the foreground: storage, Prefect, API, worker.

    It is ready when GET /health answers 200. Ctrl-C or SIGTERM stops it in order; started again on the
    same --data directory it resumes where it was.
    """
    from octavo.cli import serving

    with errors_in_one_line():
        serving.serve(data, host=host, port=port)


@app.command(epilog="Example: octavo demo --out results")
def demo(
    data: DataOption = None,
    port: Annotated[int | None, typer.Option(help="Port of the API; 8000 if not set.", min=1, max=65535)] = None,
    out_folder: Annotated[Path, typer.Option("--out", help="Folder for the results.")] = Path("results"),
) -> None:
    """Run the stack, send the sample documents through it, show the results, and keep serving."""
    from octavo.cli import serving

    with errors_in_one_line():
        serving.demonstrate(data, port=port, out_folder=out_folder)


@ledger.command("rebuild", epilog="Example: octavo ledger rebuild --data .octavo")
def rebuild_ledger(
    data: DataOption = None,
    force: Annotated[
        bool, typer.Option("--force", help="Move an existing ledger aside; without this it is an error.")
    ] = False,
) -> None:
    """Restore ledger.duckdb from its archive in storage, after the file was lost or damaged.

    Items whose outcome was not archived yet, about a second's worth, are processed again; nothing is billed
    twice. Exits with 3 if parts of the archive could not be read and were left out.
    """
    from octavo.cli import rebuilding

    with errors_in_one_line():
        is_whole = rebuilding.rebuild(data, force=force)
    if not is_whole:
        raise typer.Exit(EXIT_SOME_FAILED)


@app.command(epilog="Example: octavo submit scans/ letter.pdf --key KEY --url http://127.0.0.1:8000 --out results")
def submit(
    paths: Annotated[list[Path], typer.Argument(help="Files and folders (hidden files in them are left out).")],
    key: KeyOption = None,
    url: UrlOption = "http://127.0.0.1:8000",
    out_folder: OutOption = Path("results"),
    engine: Annotated[str | None, typer.Option(help="Engine; if not given, the service's default, auto.")] = None,
    follow_links: Annotated[
        bool, typer.Option("--follow-links", help="Take what symbolic links point to; without this they are skipped.")
    ] = False,
    show_all: AllOption = False,
    as_json: JsonOption = False,
    fail: FailOption = False,
) -> None:
    """Stage, upload and submit documents, follow the batch, and write every result to a folder.

    Each result is FOLDER/NAME.json; FOLDER/items.jsonl says how every file ended. If this is interrupted, the batch
    goes on, and `octavo fetch` fetches what is missing.
    """
    from octavo.cli import submitting

    with errors_in_one_line():
        ends = submitting.submit(
            paths, key=key, url=url, out_folder=out_folder, engine=engine, follow_links=follow_links
        )
        all_succeeded = submitting.show(ends, out_folder, as_json=as_json, show_all=show_all)
    if fail and not all_succeeded:
        raise typer.Exit(EXIT_SOME_FAILED)


@app.command(epilog="Example: octavo fetch batch_01m8... --key KEY --out results")
def fetch(
    batch_id: Annotated[str, typer.Argument(help="Id of the batch, as `octavo submit` prints it.")],
    key: KeyOption = None,
    url: UrlOption = "http://127.0.0.1:8000",
    out_folder: OutOption = Path("results"),
    show_all: AllOption = False,
    as_json: JsonOption = False,
    fail: FailOption = False,
) -> None:
    """Follow a batch that was submitted before, and write the results that are missing to a folder.

    Use it when `octavo submit` was interrupted: the batch goes on without it, and names are the same.
    """
    from octavo.cli import submitting

    with errors_in_one_line():
        ends = submitting.fetch(batch_id, key=key, url=url, out_folder=out_folder)
        all_succeeded = submitting.show(ends, out_folder, as_json=as_json, show_all=show_all)
    if fail and not all_succeeded:
        raise typer.Exit(EXIT_SOME_FAILED)


@app.command(epilog="Example: octavo extract report.pdf --format html > report.html")
def extract(
    file: Annotated[Path, typer.Argument(help="The document.", exists=True, dir_okay=False, readable=True)],
    as_format: Annotated[Format, typer.Option("--format", help="What to print.")] = "markdown",
    engine: Annotated[
        str | None, typer.Option(help="Engine, as `octavo doctor` lists them; auto if not given.")
    ] = None,
    data: DataOption = None,
) -> None:
    """Extract one file, without a server, and print the result.

    In Markdown, tables are HTML, so that cells keep their spans, and images are left out.
    """
    from octavo.cli import documents

    with errors_in_one_line():
        typer.echo(documents.extract(file, as_format=as_format, engine=engine, data=data))


@app.command(epilog="Example: octavo compare report.pdf --engines fast,auto,layout --out compare.html")
def compare(
    files: Annotated[list[Path], typer.Argument(help="Documents.", exists=True, dir_okay=False, readable=True)],
    engines: Annotated[str, typer.Option(help="Engines, separated by commas.")] = "fast,auto,layout",
    to: Annotated[Path, typer.Option("--out", help="File to write the page to.", metavar="FILE")] = Path(
        "compare.html"
    ),
    data: DataOption = None,
) -> None:
    """Read documents with several engines, without a server, and write one page with the results side by side."""
    from octavo.cli import comparing

    with errors_in_one_line():
        compared = comparing.compare(files, engines.split(","), data=data)
        to.write_text(compared.page, encoding="utf-8")
    out.print(compared.table)
    out.print(f"{to} shows the results page by page.")


@app.command(epilog="Example: octavo doctor --data .octavo")
def doctor(
    data: DataOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, with the address and the login of the stack's Prefect.")
    ] = False,
) -> None:
    """Check that everything Octavo needs is there, and say how to get what is missing."""
    from octavo.cli import diagnosis

    with errors_in_one_line():
        if not diagnosis.diagnose(data, as_json=as_json):
            raise typer.Exit(1)


@app.command(epilog="Example: octavo status --data .octavo")
def status(
    data: DataOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what GET /health answers.")] = False,
) -> None:
    """Show how the running stack is, part by part, and what keeps batches waiting; exits with 1 if not all is well."""
    from octavo.cli.status import show_status

    with errors_in_one_line():
        is_well = show_status(data, as_json=as_json)
    if not is_well:
        raise typer.Exit(1)


@app.command(epilog="Example: octavo conformance http://127.0.0.1:8000 KEY --out report.md")
def conformance(
    url: Annotated[str, typer.Argument(help="Address of a server that speaks the extract.page batch contract.")],
    key: Annotated[str, typer.Argument(help="An API key for it; some small files and batches are created with it.")],
    other_key: Annotated[
        str | None,
        typer.Option("--other-key", help="A key of another customer, to check that customers are kept apart."),
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option("--out", help="File to write the report to; standard output if not given.", metavar="FILE"),
    ] = None,
) -> None:
    """Check any server against the extract.page batch contract, and write a report in Markdown.

    Exits with 1 if a claim of the contract does not hold. Extensions are listed, but do not count.
    """
    from octavo.cli import conforming

    with errors_in_one_line():
        passed, report = conforming.conform(url, key, other_key)
    if to is None:
        print(report, end="")  # noqa: T201 - printed as it is, without terminal formatting
    else:
        to.write_text(report, encoding="utf-8")
        out.print(f"written to {to}")
    if not passed:
        raise typer.Exit(1)


def main() -> None:
    """Run the command line."""
    app()
