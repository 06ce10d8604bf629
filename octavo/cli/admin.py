"""Admin commands: they go to the running API, the ledger's only owner, with the token of its data directory."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from octavo.directory import DataDirectory
from octavo.errors import OperationError, ServiceUnreachable
from octavo.settings import read_settings


def create_key(data: Path | None, *, customer: str, label: str) -> str:
    """Return a fresh API key. Raises ServiceUnreachable, OperationError."""
    answer = _call(data, "POST", "/admin/keys", {"customer": customer, "label": label})
    return str(answer["key"])


def customers(data: Path | None) -> list[dict[str, Any]]:
    """Return all customers. Raises ServiceUnreachable, OperationError."""
    found: list[dict[str, Any]] = _call(data, "GET", "/admin/customers", None)["data"]
    return found


def change_customer(data: Path | None, name: str, change: Mapping[str, object]) -> dict[str, Any]:
    """Change a customer, known by name; returns it. Raises ServiceUnreachable, OperationError."""
    ids = {str(customer["name"]): str(customer["id"]) for customer in customers(data)}
    if name not in ids:
        known = ", ".join(sorted(ids)) or "there are none yet: octavo keys create --customer NAME"
        raise OperationError(f"There is no customer {name!r}; customers: {known}.")
    return _call(data, "PATCH", f"/admin/customers/{ids[name]}", change)


def _call(data: Path | None, method: str, path: str, body: Mapping[str, object] | None) -> dict[str, Any]:
    directory = DataDirectory(read_settings(data).data)
    token = directory.kept_secret("admin_token")
    url = directory.notes().get("internal_api_url", "")
    try:
        answer = httpx.request(
            method, url + path, json=body, headers={"Authorization": f"Bearer {token}"}, timeout=30.0, trust_env=False
        )
    except (httpx.TransportError, httpx.UnsupportedProtocol) as error:
        raise ServiceUnreachable(
            f"The stack on {directory.path} does not answer ({type(error).__name__} at {url or 'no address'}). "
            f"Start it: octavo up --data {directory.path}"
        ) from error
    if answer.status_code >= 300:
        raise OperationError(f"The API refused: HTTP {answer.status_code} {answer.text[:300]}")
    found: dict[str, Any] = answer.json()
    return found
