"""Admin commands: they go to the running API, the ledger's only owner, with the token of its data directory."""

from pathlib import Path
from typing import Any

import httpx

from octavo.directory import DataDirectory
from octavo.errors import OperationError, ServiceUnreachable
from octavo.settings import read_settings


def create_key(data: Path | None, *, customer: str, label: str) -> str:
    """Return a fresh API key. Raises ServiceUnreachable, OperationError."""
    answer = _post(data, "/admin/keys", {"customer": customer, "label": label})
    return str(answer["key"])


def _post(data: Path | None, path: str, body: dict[str, object]) -> dict[str, Any]:
    directory = DataDirectory(read_settings(data).data)
    token = directory.kept_secret("admin_token")
    url = directory.notes().get("internal_api_url", "")
    try:
        answer = httpx.post(
            url + path, json=body, headers={"Authorization": f"Bearer {token}"}, timeout=30.0, trust_env=False
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
