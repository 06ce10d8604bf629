"""`octavo conformance`: run the contract's checks against a server and report."""

import httpx

from octavo.conformance import CheckStatus, markdown, run
from octavo.conformance.contract import CHECKS
from octavo.errors import ServiceUnreachable
from octavo.timestamps import now


def conform(url: str, key: str, other_key: str | None) -> tuple[bool, str]:
    """Return whether every claim of the contract held, and the report. Raises ServiceUnreachable."""
    try:
        httpx.get(url, timeout=10, trust_env=False)
    except httpx.HTTPError as error:
        raise ServiceUnreachable(f"Nothing answers at {url}: {error}") from error
    found = run(CHECKS, url, key, other_key=other_key)
    passed = all(one.verdict is not CheckStatus.FAILED for one in found if not one.is_extension)
    return passed, markdown(found, of=f"The server at {url}", date=f"{now():%Y-%m-%d}")
