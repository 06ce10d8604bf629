"""What the tests of this folder look at: the checkout, as git would commit it."""

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("api", "console", "deployments", "flows", "octavo", "tasks")
"""Folders of importable code that ships; `console` comes with the web console."""


@cache
def files() -> tuple[Path, ...]:
    """Return every file that is or would be committed, relative to the root; ignored ones are not in it."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = [Path(name) for name in listing.stdout.split("\0") if name]
    return tuple(path for path in paths if (ROOT / path).is_file())


def python_files(*folders: str) -> list[Path]:
    """Return the Python files under these top-level folders, or all of them."""
    return [path for path in files() if path.suffix == ".py" and (not folders or path.parts[0] in folders)]


def text_of(path: Path) -> str | None:
    """Return a file's text, or None where it is no text."""
    try:
        return (ROOT / path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None
