"""Admin commands: calls to the running API, the ledger's only owner, with the token of its data directory."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import httpx

from octavo.authorities import authorities
from octavo.directory import DataDirectory
from octavo.errors import OperationError, ServiceUnreachable
from octavo.settings import read_settings

AUDIT_SECONDS = 3600.0
OPTIONS = {
    "item_cap": "--cap",
    "submissions_per_minute": "--rate",
    "page_quota": "--quota",
    "retention_seconds": "--retention",
    "customer": "--customer",
    "label": "--label",
    "from": "--from",
    "to": "--to",
}
"""Which option a field of a request comes from."""
Json = dict[str, Any]


def create_key(data: Path | None, *, customer: str, label: str, uploads_only: bool = False) -> str:
    """Create and return an API key. Raises ServiceUnreachable, OperationError."""
    body = {"customer": customer, "label": label, "uploads_only": uploads_only}
    answer = _call(data, "POST", "/admin/keys", body)
    return str(answer["key"])


def customers(data: Path | None) -> list[Json]:
    """Return all customers. Raises ServiceUnreachable, OperationError."""
    found: list[Json] = _call(data, "GET", "/admin/customers")["data"]
    return found


def keys(data: Path | None, customer: str) -> list[Json]:
    """Return the keys of a customer, given by name. Raises ServiceUnreachable, OperationError."""
    found: list[Json] = _call(data, "GET", f"/admin/customers/{_id_of(data, customer)}/keys")["data"]
    return found


def revoke_key(data: Path | None, key_id: str) -> Json:
    """Revoke and return a key. Raises ServiceUnreachable, OperationError."""
    return _call(data, "DELETE", f"/admin/keys/{quote(key_id, safe='')}")


def create_customer(data: Path | None, name: str, limits: Mapping[str, object]) -> Json:
    """Create and return a customer with these limits. Raises ServiceUnreachable, OperationError."""
    return _call(data, "POST", "/admin/customers", {"name": name, **limits})


def change_customer(data: Path | None, name: str, change: Mapping[str, object]) -> Json:
    """Change and return a customer, given by name. Raises ServiceUnreachable, OperationError."""
    return _call(data, "PATCH", f"/admin/customers/{_id_of(data, name)}", change)


def usage(data: Path | None, *, customer: str | None, first: str | None, last: str | None) -> Json:
    """Return what was billed, by day. Raises ServiceUnreachable, OperationError."""
    asked = {"from": first, "to": last, "customer_id": None if customer is None else _id_of(data, customer)}
    query = urlencode({name: value for name, value in asked.items() if value is not None})
    return _call(data, "GET", f"/admin/usage?{query}")


def audit_usage(data: Path | None, *, with_results: bool) -> Json:
    """Return the findings of a recount of the bill. Raises ServiceUnreachable, OperationError."""
    query = urlencode({"results": str(with_results).lower()})
    return _call(data, "GET", f"/admin/usage/audit?{query}", seconds=AUDIT_SECONDS)


def _id_of(data: Path | None, name: str) -> str:
    ids = {str(customer["name"]): str(customer["id"]) for customer in customers(data)}
    if name not in ids:
        known = ", ".join(sorted(ids)) or "there are none yet; create one: octavo keys create --customer NAME"
        raise OperationError(f"There is no customer {name!r}; customers: {known}.")
    return ids[name]


def _call(
    data: Path | None, method: str, path: str, body: Mapping[str, object] | None = None, *, seconds: float = 30.0
) -> Json:
    directory = DataDirectory(read_settings(data).data)
    token = directory.kept_secret("admin_token")
    url = directory.notes().get("internal_api_url", "")
    try:
        answer = httpx.request(
            method,
            url + path,
            json=body,
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(seconds, connect=10.0),
            trust_env=False,
            verify=authorities(),
        )
    except (httpx.TransportError, httpx.UnsupportedProtocol) as error:
        raise ServiceUnreachable(
            f"The stack on {directory.path} does not answer ({type(error).__name__} at {url or 'no address'}). "
            f"Start it: octavo up --data {directory.path}"
        ) from error
    if answer.status_code >= 300:
        raise OperationError(f"The API refused the request: {_refusal(answer)}")
    found: Json = answer.json()
    return found


def _refusal(answer: httpx.Response) -> str:
    """Return what the API said, in the words of the command line."""
    try:
        body = answer.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        return f"HTTP {answer.status_code}"
    rows = body.get("detail")
    if not isinstance(rows, list) or not rows:
        return str(body.get("message") or rows or f"HTTP {answer.status_code}")
    told: dict[str, str] = {}
    for row in rows:
        # Where a number or a word is possible there is a row for each; the first is the number's.
        field = next((str(part) for part in row["loc"][1:2]), "")
        told.setdefault(OPTIONS.get(field, field), str(row["msg"]))
    return "; ".join(f"{name}: {message}" if name else message for name, message in told.items()) + "."
