"""Make `.venv` contain exactly what a lock file says, and the checkout itself.

    python scripts/set_up.py run|test

A stamp in the environment records the digests of what it was made from. As long as they are the
same, nothing is done; a changed `requirements.lock` (or another Python, `make PYTHON=...`) makes it
again, a changed `pyproject.toml` reinstalls the checkout, and `test` adds the development lock,
which contains every pin of the other.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "octavo-set-up.json"
LOCKS = {"run": "requirements.lock", "test": "requirements-dev.lock"}


def digest(name: str) -> str:
    """Return the SHA-256 of a file of the checkout."""
    return hashlib.sha256((ROOT / name).read_bytes()).hexdigest()


def wanted() -> dict[str, str]:
    """Return the stamp of an up-to-date environment; `test` is the development lock's part."""
    return {
        "python": sys.executable,
        "run": digest(LOCKS["run"]),
        "test": digest(LOCKS["test"]),
        "project": digest("pyproject.toml"),
        # An environment does not work from another folder than the one it was made in.
        "root": str(ROOT),
    }


def stamped() -> dict[str, str]:
    """Return what the environment was made from; empty if there is none that works."""
    if not (VENV / "bin" / "python").exists():  # also if the Python it was made from is gone
        return {}
    try:
        stamp: dict[str, str] = json.loads(STAMP.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return stamp


def make_environment() -> None:
    """Create an empty environment in place of the old one."""
    print(f"Making .venv with Python {sys.version.split()[0]}", flush=True)
    shutil.rmtree(VENV, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)


def pip(*arguments: str) -> None:
    """Run the environment's pip, which finds packages by the machine's own configuration."""
    environment = os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    # Otherwise the user's or another environment's settings decide where packages go.
    for name in ("PIP_TARGET", "PIP_PREFIX", "PIP_USER", "PYTHONPATH", "PYTHONHOME"):
        environment.pop(name, None)
    command = [str(VENV / "bin" / "python"), "-m", "pip", *arguments]
    subprocess.run(command, check=True, cwd=ROOT, env=environment)


def is_sound(have: dict[str, str], want: dict[str, str]) -> bool:
    """Tell whether the environment matches the service's lock and the requested Python."""
    python_fits = not os.environ.get("PYTHON") or have.get("python") == want["python"]
    return python_fits and all(have.get(key) == want[key] for key in ("run", "root"))


def steps(goal: str, have: dict[str, str], want: dict[str, str]) -> list[str]:
    """Return what has to be done, in order, out of `environment`, `lock` and `project`."""
    if not is_sound(have, want):
        return ["environment", "lock", "project"]
    lock = ["lock"] if goal == "test" and have.get("test") != want["test"] else []
    project = ["project"] if have.get("project") != want["project"] else []
    return lock + project


def carry_out(step: str, goal: str) -> None:
    """Do one of the `steps`. Raises CalledProcessError."""
    if step == "environment":
        make_environment()
    elif step == "lock":
        print(f"Installing {LOCKS[goal]}", flush=True)
        # Also as a constraint: otherwise a pin does not apply where the package is required with an extra, and
        # pip would take the newest release for that, find no hash for it, and give up.
        pip("install", "--quiet", "--require-hashes", "--requirement", LOCKS[goal], "--constraint", LOCKS[goal])
    else:
        pip("install", "--quiet", "--no-deps", "--no-build-isolation", "--editable", ".")


def main(goal: str) -> int:
    """Bring the environment up to date for `goal`; return the exit status."""
    want, have = wanted(), stamped()
    to_do = steps(goal, have, want)
    if not to_do:
        return 0
    began = time.monotonic()
    # The stamp is removed first: an interrupted installation must not look complete.
    STAMP.unlink(missing_ok=True)
    try:
        for step in to_do:
            carry_out(step, goal)
    except subprocess.CalledProcessError as error:
        print(f"Set-up failed (status {error.returncode}); the reason is printed above.", file=sys.stderr)
        return 1
    kept = {} if "environment" in to_do else have
    done = {key: value for key, value in want.items() if key != "test" or goal == "test"}
    STAMP.write_text(json.dumps(kept | done, indent=2) + "\n", encoding="utf-8")
    print(f"Ready after {time.monotonic() - began:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    if sys.argv[1:] not in (["run"], ["test"]):
        sys.exit("usage: python scripts/set_up.py run|test")
    sys.exit(main(sys.argv[1]))
