"""Runs the checks one after the other and records what was observed."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import httpx

LONGEST_BATCH_SECONDS = 300.0
PAUSE_SECONDS = 0.5


class CheckStatus(StrEnum):
    """The outcome of a check."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


class Deviation(Exception):
    """The server does not do what the contract says; the message is what was observed."""


class NotChecked(Exception):
    """The check cannot be carried out here; the message says why."""


@dataclass(frozen=True, slots=True)
class Found:
    """One check and its verdict."""

    section: str
    claim: str
    verdict: CheckStatus
    seen: str
    is_extension: bool = False


@dataclass
class Server:
    """The server under test, as one customer sees it, and what earlier checks leave for later ones."""

    api: httpx.Client
    stranger: httpx.Client
    other: httpx.Client | None
    plain: httpx.Client
    """Without a key, for storage."""
    things: dict[str, Any] = field(default_factory=dict)

    def thing(self, name: str) -> Any:  # noqa: ANN401 - JSON of somebody else's server
        """Return what an earlier check has created. Raises NotChecked."""
        if name not in self.things:
            raise NotChecked(f"an earlier check has left no {name}")
        return self.things[name]

    def stage(self, data: bytes, filename: str = "check.pdf") -> dict[str, Any]:
        """Stage a file and upload its bytes."""
        answer = self.api.post("/v1/files", json={"filename": filename, "size_bytes": len(data)})
        staged: dict[str, Any] = body(answer, 200)
        stored = self.plain.put(staged["upload"]["url"], content=data)
        expect(stored.is_success, f"PUT to the upload URL: {stored.status_code}")
        return staged

    def ended(self, batch_id: str) -> dict[str, Any]:
        """Follow a batch by cursor to its end and return it with the last state of every item."""
        until, cursor = time.monotonic() + LONGEST_BATCH_SECONDS, None
        items: dict[str, Any] = {}
        while True:
            page = body(self.api.get(f"/v1/batches/{batch_id}", params={"cursor": cursor} if cursor else {}), 200)
            items |= {item["id"]: item for item in page["items"]}
            cursor = page.get("next_cursor")
            if page["status"] not in ("pending", "running", "cancelling") and (cursor is None or not page["items"]):
                return {**page, "items": list(items.values())}
            expect(time.monotonic() < until, f"after {LONGEST_BATCH_SECONDS:.0f} s the batch is {page['status']}")
            time.sleep(PAUSE_SECONDS)


Act = Callable[[Server], str]
"""Carries out a check and returns what was observed."""


@dataclass(frozen=True, slots=True)
class Check:
    """One claim of the contract."""

    section: str
    claim: str
    act: Act
    is_extension: bool = False


def expect(holds: bool, seen: str) -> None:
    """Raise Deviation unless it holds."""
    if not holds:
        raise Deviation(seen)


def body(answer: httpx.Response, status: int) -> Any:  # noqa: ANN401 - JSON of somebody else's server
    """Return an answer's JSON. Raises Deviation for another status, or if it is not JSON."""
    request = f"{answer.request.method} {answer.request.url.path}"
    expect(answer.status_code == status, f"{request}: {answer.status_code} {answer.text[:200]}")
    try:
        return answer.json()
    except ValueError:
        raise Deviation(f"{request}: not JSON: {answer.text[:200]}") from None


def run(checks: list[Check], url: str, key: str, *, other_key: str | None = None) -> list[Found]:
    """Return the outcome of every check, in order; nothing that a server does ends the run."""

    def client(headers: dict[str, str]) -> httpx.Client:
        return httpx.Client(base_url=url, headers=headers, timeout=60, trust_env=False)

    with (
        client({"X-API-KEY": key}) as api,
        client({"X-API-KEY": "not-a-key"}) as stranger,
        client({"X-API-KEY": other_key or ""}) as other,
        httpx.Client(timeout=60, trust_env=False) as plain,
    ):
        server = Server(api, stranger, other if other_key else None, plain)
        return [_made(check, server) for check in checks]


def _made(check: Check, server: Server) -> Found:
    try:
        verdict, seen = CheckStatus.PASSED, check.act(server)
    except NotChecked as error:
        verdict, seen = CheckStatus.SKIPPED, str(error)
    except Deviation as error:
        verdict, seen = CheckStatus.FAILED, str(error)
    except (httpx.HTTPError, KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
        # Whatever shape another server's answer has, it is not the contract's.
        verdict, seen = CheckStatus.FAILED, f"{type(error).__name__}: {error}"
    return Found(check.section, check.claim, verdict, seen, check.is_extension)
