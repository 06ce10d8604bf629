"""`octavo customers`, `octavo keys`, `octavo usage`: how the operator manages customers' accounts.

A command imports what it needs when it runs, as in `app.py`.
"""

from typing import Annotated

import typer

from octavo.cli.options import DataOption
from octavo.cli.terminal import EXIT_SOME_FAILED, errors_in_one_line, out
from octavo.errors import OperationError

DEFAULT = "default"
keys = typer.Typer(no_args_is_help=True, help="Customers' API keys. The stack must be running.")
customers = typer.Typer(no_args_is_help=True, help="Customers and their limits. The stack must be running.")
usage = typer.Typer(no_args_is_help=True, help="What customers were billed. The stack must be running.")

CapOption = Annotated[
    str | None, typer.Option("--cap", help="Items in progress at once, over all batches.", metavar="N")
]
RateOption = Annotated[
    str | None, typer.Option("--rate", help="Submissions a minute, for each key and route.", metavar="N")
]
QuotaOption = Annotated[
    str | None, typer.Option("--quota", help="Pages that may be billed in total; `default`: no limit.", metavar="PAGES")
]
RetentionOption = Annotated[
    str | None, typer.Option("--retention", help="How long new files and results are kept.", metavar="SECONDS")
]


@keys.command("create", epilog="Example: octavo keys create --customer acme --label laptop")
def create_key(
    customer: Annotated[str, typer.Option(help="Name of the customer; a new one is created.")],
    data: DataOption = None,
    label: Annotated[str, typer.Option(help="What the key is for; shown in lists.")] = "",
    uploads_only: Annotated[
        bool,
        typer.Option("--uploads-only", help="A key that may upload documents, but not submit URLs or create webhooks."),
    ] = False,
) -> None:
    """Create an API key and print it, and nothing else; it is shown only once."""
    from octavo.cli import admin

    with errors_in_one_line():
        key = admin.create_key(data, customer=customer, label=label, uploads_only=uploads_only)
        out.print(key, markup=False)


@keys.command("list", epilog="Example: octavo keys list --customer acme")
def list_keys(
    customer: Annotated[str, typer.Option(help="Name of the customer.")],
    data: DataOption = None,
) -> None:
    """List a customer's keys, including revoked ones: id, beginning, label. The keys themselves are not stored."""
    from octavo.cli import admin
    from octavo.cli.tables import key_table

    with errors_in_one_line():
        out.print(key_table(admin.keys(data, customer)))


@keys.command("revoke", epilog="Example: octavo keys revoke key_01m8...")
def revoke_key(
    key_id: Annotated[str, typer.Argument(help="The key's id, as `octavo keys list` shows it.")],
    data: DataOption = None,
) -> None:
    """Revoke a key: it is refused from now on. Batches that were submitted with it continue."""
    from octavo.cli import admin
    from octavo.cli.tables import key_table

    with errors_in_one_line():
        out.print(key_table([admin.revoke_key(data, key_id)]))


@customers.command("list", epilog="Example: octavo customers list --data .octavo")
def list_customers(data: DataOption = None) -> None:
    """List the customers, oldest first: name, limits, whether they are enabled."""
    from octavo.cli import admin
    from octavo.cli.tables import customer_table

    with errors_in_one_line():
        out.print(customer_table(admin.customers(data)))


@customers.command("create", epilog="Example: octavo customers create acme --quota 10000")
def create_customer(
    name: Annotated[str, typer.Argument(help="Name of the customer.")],
    cap: CapOption = None,
    rate: RateOption = None,
    quota: QuotaOption = None,
    retention: RetentionOption = None,
    data: DataOption = None,
) -> None:
    """Create a customer, without a key; an existing one only gets the limits."""
    from octavo.cli import admin
    from octavo.cli.tables import customer_table

    with errors_in_one_line():
        limits = _limits(cap=cap, rate=rate, quota=quota, retention=retention)
        out.print(customer_table([admin.create_customer(data, name, limits)]))


@customers.command("set", epilog="Example: octavo customers set acme --cap 16 --quota 10000 --rate default")
def set_customer(
    name: Annotated[str, typer.Argument(help="Name of the customer.")],
    cap: CapOption = None,
    rate: RateOption = None,
    quota: QuotaOption = None,
    retention: RetentionOption = None,
    enabled: Annotated[bool | None, typer.Option("--enable/--disable", help="Enable or disable the customer.")] = None,
    data: DataOption = None,
) -> None:
    """Change a customer's limits, or enable or disable it; `default` instead of a number returns to the settings.

    A new cap or quota applies to running batches at once; a new retention to files and batches created from now on.
    """
    from octavo.cli import admin
    from octavo.cli.tables import customer_table

    with errors_in_one_line():
        change = _limits(cap=cap, rate=rate, quota=quota, retention=retention)
        if not change and enabled is None:
            raise OperationError(
                "There is nothing to change; give --cap, --rate, --quota, --retention, --enable or --disable."
            )
        out.print(customer_table([admin.change_customer(data, name, change | {"enabled": enabled})]))


def _limits(*, cap: str | None, rate: str | None, quota: str | None, retention: str | None) -> dict[str, object]:
    given = {
        "item_cap": cap,
        "submissions_per_minute": rate,
        "page_quota": quota,
        "retention_seconds": retention,
    }
    return {name: _number(value) for name, value in given.items() if value is not None}


def _number(given: str) -> int | str:
    if given == DEFAULT:
        return DEFAULT
    if not given.isascii() or not given.isdigit():
        raise OperationError(f"A limit is a number or the word {DEFAULT}, not {given!r}.")
    return int(given)


@usage.command("show", epilog="Example: octavo usage show --customer acme --from 2026-11-01 --to 2026-11-30")
def show_usage(
    customer: Annotated[str | None, typer.Option(help="Name of the customer; all if not given.")] = None,
    first: Annotated[
        str | None, typer.Option("--from", help="First day (UTC); 29 days before the last if not given.", metavar="DAY")
    ] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last day (UTC); today if not given.", metavar="DAY")] = None,
    data: DataOption = None,
) -> None:
    """Show what was billed, by day and customer; for one customer also what is left of its quota."""
    from octavo.cli import admin
    from octavo.cli.tables import account_line, usage_table

    with errors_in_one_line():
        found = admin.usage(data, customer=customer, first=first, last=last)
        out.print(usage_table(found["data"]))
        if found["quota"] is not None:
            out.print(account_line(found["quota"]))


@usage.command("audit", epilog="Example: octavo usage audit --data .octavo")
def audit_usage(
    results: Annotated[bool, typer.Option("--results/--no-results", help="Also read every stored result.")] = True,
    data: DataOption = None,
) -> None:
    """Recount the bill from items, batches and stored results, and print every difference.

    Exits with 3 if something differs.
    """
    from octavo.cli import admin
    from octavo.cli.tables import audit_table

    with errors_in_one_line():
        found = admin.audit_usage(data, with_results=results)
        out.print(
            f"{found['items']} items billed, {found['pages']} pages; {found['gone_items']} items of deleted "
            f"batches; {found['results']} results read; {len(found['differences'])} differences"
        )
        if found["differences"]:
            out.print(audit_table(found["differences"]))
    if found["differences"]:
        raise typer.Exit(EXIT_SOME_FAILED)
