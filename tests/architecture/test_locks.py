"""What is installed is what was locked, wherever it is fetched from."""

import re

import pytest

from tests.architecture.checkout import ROOT

LOCKS = ("requirements.lock", "requirements-dev.lock")
PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>\S+)(?: ; (?P<marker>.+?))? \\$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")


def requirements(lock: str) -> dict[str, list[str]]:
    """Return every requirement line of a lock with the lines below it that are no comments."""
    found: dict[str, list[str]] = {}
    below: list[str] = []
    for line in (ROOT / lock).read_text(encoding="utf-8").splitlines():
        if line.lstrip().startswith("#") or not line.strip():
            continue
        if line.startswith(" "):
            below.append(line)
        else:
            below = found[line] = []
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_is_pinned_and_hashed(lock: str) -> None:
    found = requirements(lock)
    assert len(found) > 50
    loose = [line for line, below in found.items() if not PIN.match(line) or not below]
    assert not loose
    assert all(HASH.match(line) for below in found.values() for line in below)


@pytest.mark.parametrize("lock", LOCKS)
def test_no_lock_says_where_packages_are_fetched(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"^\s*(-i|-f|--(extra-)?index-url|--find-links|--trusted-host)\b", text, re.M)


def test_the_development_lock_holds_every_pin_of_the_service() -> None:
    # The environment of the tests serves `make run`, too.
    service, development = (set(requirements(lock)) for lock in LOCKS)
    assert service <= development


def test_the_locks_hold_what_builds_the_checkout() -> None:
    names = {found["name"] for line in requirements("requirements.lock") if (found := PIN.match(line))}
    assert {"hatchling", "editables"} <= names
