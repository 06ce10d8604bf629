"""The served API against its own description, by schemathesis, all phases: with a valid key, a wrong one, the admin's.

No 5xx but what is said below, no answer outside the declared schema. OCTAVO_FUZZ_EXAMPLES asks for more of each route.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from api.app import create_app
from octavo.ledger.duckdb import DuckdbLedger
from octavo.objects.memory import MemoryObjects
from tests.unit.api.service import ADMIN_TOKEN, MovableClock, add_customer, make_service, settings
from tests.unit.api.serving import served

EXAMPLES = os.environ.get("OCTAVO_FUZZ_EXAMPLES", "4")
PROGRAM = Path(sys.executable).with_name("schemathesis")
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
CONFIG = """
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", "501"]

# Nothing but the API runs here, and no worker reads what is sent to it.
[[operations]]
include-path = "/health"
checks.not_a_server_error.expected-statuses = ["2xx", "4xx", "503"]

[[operations]]
include-path-regex = "^/v1/extract(/file)?$"
checks.not_a_server_error.expected-statuses = ["2xx", "4xx", "504"]
"""
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """An API over a real ledger, whose sync calls end soon; yields its address and a customer's key."""
    folder = tmp_path_factory.mktemp("described")
    with closing(DuckdbLedger(folder / "ledger.duckdb", clock=MovableClock())) as ledger:
        given = settings(folder, limits={"sync_seconds": 0.2, "drawing_seconds": 0.2})
        made = make_service(given, ledger, MemoryObjects())
        _, key = add_customer(ledger, "described")
        with served(create_app(made)) as url:
            yield url, key


@pytest.mark.parametrize("who", ["customer", "stranger", "admin"])
def test_no_answer_is_outside_of_what_is_described(service: tuple[str, str], who: str, tmp_path: Path) -> None:
    url, key = service
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    header = (
        f"Authorization: Bearer {ADMIN_TOKEN}" if who == "admin" else f"X-API-KEY: {key if who == 'customer' else 'x'}"
    )
    ours = ["--include-path-regex", "^/admin"] if who == "admin" else ["--exclude-path-regex", "^/admin"]
    ended = subprocess.run(
        [
            *(str(PROGRAM), "run", f"{url}/openapi.json", "--header", header, *ours),
            *("--phases", "examples,coverage,fuzzing,stateful", "--max-examples", EXAMPLES, "--seed", "7"),
            *("--checks", ",".join(CHECKS), "--continue-on-failure", "--no-shrink", "--no-color", "--warnings", "off"),
            *("--suppress-health-check", "all", "--generation-database", "none", "--request-timeout", "120"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=550,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-20_000:] + ended.stderr[-2_000:]
