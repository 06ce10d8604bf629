"""A filled data directory as one small file: what a later version needs to open it, and what is to be found in it.

The archive holds `data/`, without what a start makes again, and `found.json`: what the version that filled it
answered, and the keys of its customers. They open nothing but this directory.
"""

import io
import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SUFFIX = ".tar.xz"
KEPT = ("ledger.duckdb", "ledger.duckdb.wal", "octavo.toml", "stack.json", "objects", "secrets", "prefect")
HOST, PORT = "127.86.45.1", 18_045
"""Where the customers' webhooks point: an address of loopback that nothing else is likely to use."""
Found = dict[str, Any]


def archives() -> list[Path]:
    """Return every packed directory, the oldest version first."""
    return sorted(HERE.glob(f"*{SUFFIX}"))


def pack(data: Path, found: Found, archive: Path) -> None:
    """Write the archive."""
    with tarfile.open(archive, "w:xz", preset=9) as tar:
        for name in KEPT:
            for path in sorted([data / name, *(data / name).rglob("*")]):
                if path.exists():
                    tar.add(path, f"data/{path.relative_to(data)}", recursive=False, filter=_anybodys)
        written = json.dumps(found, indent=1, sort_keys=True).encode()
        entry = tarfile.TarInfo("found.json")
        entry.size = len(written)
        tar.addfile(entry, io.BytesIO(written))


def _anybodys(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


def unpack(archive: Path, folder: Path) -> Found:
    """Lay the data directory out at `folder`/data, its owner's alone; returns what is to be found in it."""
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    found: Found = json.loads((folder / "found.json").read_text())
    return found


def empty(folder: Path) -> None:
    """Remove a folder that may be there."""
    shutil.rmtree(folder, ignore_errors=True)
