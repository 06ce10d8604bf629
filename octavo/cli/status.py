"""`octavo status`: how the running stack is, part by part, as `GET /health` tells it."""

import json
from pathlib import Path
from typing import Any

import httpx
from rich.table import Table

from octavo.cli.terminal import out
from octavo.directory import DataDirectory
from octavo.errors import ServiceUnreachable
from octavo.settings import read_settings


def show_status(data: Path | None, *, as_json: bool) -> bool:
    """Print the state of each part; return whether all are well. Raises ServiceUnreachable."""
    found = _health(DataDirectory(read_settings(data).data))
    if as_json:
        print(json.dumps(found))  # noqa: T201 - printed as it is, without terminal formatting
    else:
        _print(found)
    return bool(found["status"] == "ok")


def _health(directory: DataDirectory) -> dict[str, Any]:
    url = directory.notes().get("internal_api_url", "")
    try:
        found: dict[str, Any] = httpx.get(f"{url}/health", timeout=10.0, trust_env=False).json()
    except (httpx.TransportError, httpx.UnsupportedProtocol, ValueError) as error:
        raise ServiceUnreachable(
            f"The stack on {directory.path} does not answer ({type(error).__name__}). "
            f"Start it: octavo up --data {directory.path}"
        ) from error
    return found


def _print(found: dict[str, Any]) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, part in found["parts"].items():
        table.add_row(name, part["status"], part["message"] or "")
    table.add_row("workers", str(len(found["workers"])), ", ".join(sorted(found["workers"])))
    out.print(f"{found['status']}: {found['api_url']}, version {found['version']}", markup=False)
    out.print(table)
