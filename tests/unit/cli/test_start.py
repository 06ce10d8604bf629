"""What is asked for often is there at once: version and help import nothing that is slow to import."""

import subprocess
import sys

import pytest

HEAVY = {"api", "boto3", "botocore", "docling_core", "duckdb", "fastapi", "httpx", "numpy", "prefect", "pydantic"}
HEAVY |= {"pymupdf", "tenacity", "octavo.wiring", "octavo.settings"}
"""Some take half a second each on a slow machine; `rich` and `typer` are what is left."""
PROBE = """
import sys
sys.argv = ["octavo", *{arguments!r}]
try:
    from octavo.cli import main
    main()
except SystemExit as end:
    print(end.code, *sorted(sys.modules), file=sys.stderr)
"""


def imported(*arguments: str) -> set[str]:
    """Return what a command imports until its end."""
    probe = [sys.executable, "-c", PROBE.format(arguments=arguments)]
    done = subprocess.run(probe, capture_output=True, text=True, check=True, timeout=60)
    code, *modules = done.stderr.split()
    assert code == "0", done.stderr
    return set(modules)


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["submit", "--help"], ["customers", "--help"]])
def test_version_and_help_import_nothing_heavy(arguments: list[str]) -> None:
    assert not imported(*arguments) & HEAVY


def test_what_would_be_heavy_is_known_by_its_right_name() -> None:
    probe = [sys.executable, "-c", "import sys, octavo.cli.serving, prefect, api.app; print(*sys.modules)"]
    loaded = set(subprocess.run(probe, capture_output=True, text=True, check=True, timeout=120).stdout.split())
    assert HEAVY - loaded <= {"boto3", "docling_core", "numpy"}
