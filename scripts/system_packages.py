"""Check that the programs Octavo starts are on this machine; install what is missing or say how.

    python scripts/system_packages.py run|test

`run` is what the service needs, `test` adds what the tests need. The programs themselves are checked,
not the package manager, so it does not matter where they came from. What is missing is
installed with apt-get (as root or through sudo) or Homebrew. Where that cannot be done the command
fails and prints what to install; nothing is ever skipped.
"""

import ctypes
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

SNAP_CHROMIUM = "chromium from the snap store"
"""Represents the one package for which Ubuntu has no deb."""

# Services are neither started now nor at the next boot: the tests start their own, on their own
# ports. A policy-rc.d that answers 101 is Debian's way to say so; one that is there already stays.
APT_INSTALL = """
set -e
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 130' INT TERM
    printf '#!/bin/sh\\nexit 101\\n' > "$policy"
    chmod 755 "$policy"
fi
install() { apt-get install -y -q -o DPkg::Lock::Timeout=300 --no-install-recommends "$@"; }
known() { for name; do apt-cache show "$name" >/dev/null 2>&1 || return 1; done; }
if known "$@" && install "$@"; then :; else apt-get update -q && install "$@"; fi
if [ -d /run/systemd/system ]; then
    for name; do
        case "$name" in
            postgresql | redis-server | nginx) systemctl disable --now "$name" ;;
        esac
    done
fi
"""


@dataclass(frozen=True, slots=True)
class Need:
    """Something that must be on the machine: how to check, and the packages that provide it."""

    what: str
    is_here: Callable[[], bool]
    apt: tuple[str, ...]
    brew: tuple[str, ...]


def tesseract_reads(language: str) -> bool:
    """Tell whether Tesseract is on the path and has this language."""
    try:
        listing = subprocess.run(["tesseract", "--list-langs"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return False
    return language in (listing.stdout + listing.stderr).split()


def libmagic_loads() -> bool:
    """Tell whether the shared library of file(1) can be loaded."""
    names = ["libmagic.so.1", "/opt/homebrew/lib/libmagic.dylib", "/usr/local/lib/libmagic.dylib"]
    for name in names:
        try:
            ctypes.CDLL(name)
        except OSError:
            continue
        return True
    return False


def virtual_environments_work() -> bool:
    """Tell whether this Python can create a virtual environment with pip (Debian packages that separately)."""
    return all(importlib.util.find_spec(name) is not None for name in ("venv", "ensurepip"))


def chromium_is_here() -> bool:
    """Tell whether there is a Chromium or Chrome; Ubuntu's script that only asks for a snap does not count."""
    if Path("/Applications/Chromium.app").exists() or Path("/Applications/Google Chrome.app").exists():
        return True
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"):
        program = shutil.which(name)
        if program is not None and not is_snap_stub(Path(program)):
            return True
    return False


def is_snap_stub(program: Path) -> bool:
    """Tell whether a program is only a placeholder for a snap that is not installed."""
    with program.open("rb") as file:
        start = file.read(4096)
    return start.startswith(b"#!") and b"snap install" in start and not Path("/snap/bin/chromium").exists()


def postgresql_is_here() -> bool:
    """Tell whether PostgreSQL's server programs are installed; Debian and Homebrew keep them off the path."""
    if shutil.which("initdb") is not None:
        return True
    roots = {
        "/usr/lib/postgresql": "*/bin/initdb",
        "/opt/homebrew/opt": "postgresql*/bin/initdb",
        "/usr/local/opt": "postgresql*/bin/initdb",
    }
    return any(any(Path(root).glob(pattern)) for root, pattern in roots.items())


def redis_is_here() -> bool:
    """Tell whether Redis' server is on the path."""
    return shutil.which("redis-server") is not None


def nginx_is_here() -> bool:
    """Tell whether nginx is installed; Debian keeps it where only root looks."""
    return shutil.which("nginx") is not None or Path("/usr/sbin/nginx").exists()


def needs_of(goal: str) -> list[Need]:
    """Return what `run` or `test` needs, in the order in which it is listed."""
    needs = [
        Need("Python's venv and ensurepip", virtual_environments_work, (venv_package(),), ("python@3.13",)),
        Need(
            "Tesseract with English",
            lambda: tesseract_reads("eng"),
            ("tesseract-ocr", "tesseract-ocr-eng"),
            ("tesseract",),
        ),
        Need(
            "Tesseract's orientation data (osd)",
            lambda: tesseract_reads("osd"),
            ("tesseract-ocr-osd",),
            ("tesseract",),
        ),
        Need("libmagic", libmagic_loads, ("libmagic1",), ("libmagic",)),
    ]
    if goal == "test":
        chromium = SNAP_CHROMIUM if distribution() == "ubuntu" else "chromium"
        needs += [
            Need("Chromium", chromium_is_here, (chromium,), ("--cask", "chromium")),
            Need("PostgreSQL's server", postgresql_is_here, ("postgresql",), ("postgresql@17",)),
            Need("Redis' server", redis_is_here, ("redis-server",), ("redis",)),
            Need("nginx", nginx_is_here, ("nginx",), ("nginx",)),
            Need("curl", lambda: shutil.which("curl") is not None, ("curl",), ("curl",)),
            Need("jq", lambda: shutil.which("jq") is not None, ("jq",), ("jq",)),
        ]
    return needs


def venv_package() -> str:
    """Return the name of Debian's venv package for this Python; the default one has no version in it."""
    is_default = Path(sys.executable).resolve() == Path("/usr/bin/python3").resolve()
    return "python3-venv" if is_default else f"python3.{sys.version_info.minor}-venv"


def distribution() -> str:
    """Return the `ID` of os-release, such as debian or ubuntu; empty where there is none."""
    try:
        lines = Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return ""
    ids = [line.removeprefix("ID=").strip('"') for line in lines if line.startswith("ID=")]
    return ids[0] if ids else ""


def install_commands(missing: Sequence[Need]) -> list[list[str]]:
    """Return the commands that install these needs; none without a known package manager."""
    if shutil.which("apt-get") is not None:
        names = list(dict.fromkeys(name for need in missing for name in need.apt))
        commands = []
        if SNAP_CHROMIUM in names:
            names.remove(SNAP_CHROMIUM)
            commands.append(["snap", "install", "chromium"])
        return ([["apt-get", "install", *names]] if names else []) + commands
    if shutil.which("brew") is not None:
        casks = [list(need.brew) for need in missing if need.brew[0] == "--cask"]
        formulae = list(dict.fromkeys(name for need in missing if need.brew[0] != "--cask" for name in need.brew))
        return [["brew", "install", *names] for names in [formulae, *casks] if names]
    return []


def prefix_for_root() -> list[str] | None:
    """Return the prefix that runs a command as root; None if that is impossible."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") is None:
        return None
    if sys.stdin is not None and sys.stdin.isatty():
        return ["sudo"]
    # Without a terminal nobody can answer a password prompt: check whether one would appear.
    silent = ["sudo", "-n"]
    return silent if subprocess.run([*silent, "true"], capture_output=True, check=False).returncode == 0 else None


def run(command: list[str]) -> None:
    """Run one of `install_commands`, as root if necessary; the result is checked afterwards."""
    prefix = [] if command[0] == "brew" else prefix_for_root()
    if prefix is None or shutil.which(command[0]) is None:
        return
    print("Installing system packages:", shlex.join([*prefix, *command]), flush=True)
    if command[0] == "apt-get":
        command = ["sh", "-c", APT_INSTALL, "sh", *command[2:]]
    subprocess.run([*prefix, *command], check=False)


def say_how(goal: str, missing: Sequence[Need]) -> str:
    """Return the message for a machine on which something is still missing."""
    lines = [f"`make {goal}` needs programs that are not on this machine:", *(f"  {need.what}" for need in missing)]
    commands = install_commands(missing)
    if not commands:
        lines.append("Install it with this system's package manager (Debian's names:")
        lines.append("  " + " ".join(dict.fromkeys(name for need in missing for name in need.apt)) + ").")
    else:
        lines.append("It could not be installed from here. Install it with:")
        sudo = "" if commands[0][0] == "brew" else "sudo "
        lines += [f"  {sudo}{shlex.join(command)}" for command in commands]
        if any(command[0] == "snap" for command in commands):
            lines.append("(Ubuntu has no deb of Chromium; Google Chrome's deb works as well.)")
    lines.append(f"Then run `make {goal}` again.")
    return "\n".join(lines)


def main(goal: str) -> int:
    """Install on the machine what `goal` needs; return the exit status."""
    needs = needs_of(goal)
    missing = [need for need in needs if not need.is_here()]
    if not missing:
        return 0
    for command in install_commands(missing):
        run(command)
    # importlib remembers what it did not find.
    importlib.invalidate_caches()
    missing = [need for need in missing if not need.is_here()]
    if missing:
        print(say_how(goal, missing), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    if sys.argv[1:] not in (["run"], ["test"]):
        sys.exit("usage: python scripts/system_packages.py run|test")
    sys.exit(main(sys.argv[1]))
