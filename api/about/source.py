"""`GET /source`: the source of the running service, to which its licence entitles everybody who uses it.

The archive is made from the running code, so a modified version offers its changes without an address to
keep up to date. It holds code and pages, never data or secrets (ADR 0026).
"""

import gzip
import io
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse

from api.http.dependencies import ServiceDep
from octavo import __version__

router = APIRouter(include_in_schema=False)
ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("api", "bench", "console", "deployments", "docs", "flows", "octavo", "scripts", "tasks", "tests")
TOP = {"LICENSE", "Makefile", "prefect.yaml", "pyproject.toml", "requirements.lock", "requirements-dev.lock"}
KINDS = {".css", ".html", ".js", ".json", ".md", ".py", ".service", ".sh", ".sql", ".svg", ".toml", ".yaml", ".yml"}
NAMES = {"Dockerfile", "Dockerfile.dockerignore", "compose.env.example"}
LARGEST_BYTES = 4 * 1024 * 1024
SECRET_MARKS = (b"kind: Secret", b"PASSWORD=")
"""Files in `deployments/` may have been filled in; whatever looks so is left out."""
_lock = threading.Lock()
_made: dict[tuple[Path, Path], bytes] = {}


@router.get("/source")
def source(service: ServiceDep) -> Response:
    """Get the source of the running service, or a redirect to where the operator publishes it."""
    if service.settings.api.source_url:
        return RedirectResponse(service.settings.api.source_url, status_code=307)
    name = f"octavo-{__version__}.tar.gz"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    with _lock:
        place = (ROOT, service.settings.data.resolve())
        if place not in _made:
            _made[place] = archive(*place, folder=name.removesuffix(".tar.gz"))
        return Response(_made[place], media_type="application/gzip", headers=headers)


def archive(root: Path, data: Path, *, folder: str) -> bytes:
    """Return a tar.gz of the tree at `root` under one folder; nothing of the data directory is in it."""
    kept = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=kept, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in _files(root, data):
            content = path.read_bytes()
            if _may_hold_secrets(path.relative_to(root), content):
                continue
            entry = tarfile.TarInfo(f"{folder}/{path.relative_to(root).as_posix()}")
            entry.size = len(content)
            entry.mode = 0o755 if path.suffix == ".sh" else 0o644
            tar.addfile(entry, io.BytesIO(content))
    return kept.getvalue()


def _may_hold_secrets(path: Path, content: bytes) -> bool:
    return (
        path.parts[0] == "deployments" and path.suffix != ".example" and any(mark in content for mark in SECRET_MARKS)
    )


def _files(root: Path, data: Path) -> Iterator[Path]:
    yield from (
        path for path in sorted(root.iterdir()) if path.is_file() and (path.name in TOP or path.suffix == ".md")
    )
    for room in ROOMS:
        for path in sorted((root / room).rglob("*")):
            if _is_source(path, root) and not path.resolve().is_relative_to(data):
                yield path


def _is_source(path: Path, root: Path) -> bool:
    hidden = any(part.startswith((".", "__pycache__")) for part in path.relative_to(root).parts)
    of_a_kind = path.suffix in KINDS or path.name in NAMES
    if hidden or not of_a_kind or path.is_symlink() or not path.is_file():
        return False
    return path.stat().st_size <= LARGEST_BYTES
