"""Regenerate the golden copy of the served OpenAPI document, and the list of what it adds to the contract.

    python -m scripts.openapi

Both are committed with the tests, so a change of the interface shows in the diff of its commit.
"""

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from api.app import create_app
from octavo.ledger.duckdb import memory_ledger
from octavo.objects.memory import MemoryObjects
from tests.architecture.openapi_comparison import additions
from tests.unit.api.service import make_service, settings

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "architecture"
CONTRACT = FOLDER / "contract.yaml"
GOLDEN = FOLDER / "openapi.json"
ADDITIONS = FOLDER / "additions.txt"


def served() -> Mapping[str, Any]:
    """Return the document that `/openapi.json` serves."""
    with tempfile.TemporaryDirectory() as folder:
        service = make_service(settings(Path(folder)), memory_ledger(), MemoryObjects())
        return create_app(service).openapi()


def contract() -> Mapping[str, Any]:
    """Return the contract: the file that OCTAVO_CONTRACT_OPENAPI names, or the copy in the tree."""
    named = os.environ.get("OCTAVO_CONTRACT_OPENAPI")
    found: Mapping[str, Any] = yaml.safe_load((Path(named) if named else CONTRACT).read_text(encoding="utf-8"))
    return found


def golden() -> str:
    """Return the golden copy as it should be now."""
    return json.dumps(served(), indent=1, ensure_ascii=False) + "\n"


def added() -> str:
    """Return what the service has beyond the contract, a line each."""
    return "".join(f"{line}\n" for line in additions(contract(), served()))


def main() -> None:
    """Write both files."""
    for path, text in ((GOLDEN, golden()), (ADDITIONS, added())):
        path.write_text(text, encoding="utf-8")
        print(f"wrote tests/architecture/{path.name}")


if __name__ == "__main__":
    main()
