"""Set-up does what is needed and no more, and if it cannot, it says what to install."""

import subprocess

import pytest

from scripts import set_up, system_packages
from scripts.system_packages import Need
from tests.architecture.checkout import ROOT

WANT = {"python": "/usr/bin/python3", "run": "1", "test": "2", "project": "3", "root": "/srv/octavo"}
FRESH = ["environment", "lock", "project"]


@pytest.mark.parametrize(
    ("goal", "have", "expected"),
    [
        ("run", {}, FRESH),
        ("run", WANT, []),
        ("test", WANT, []),
        ("run", {key: WANT[key] for key in WANT if key != "test"}, []),
        ("test", {key: WANT[key] for key in WANT if key != "test"}, ["lock"]),
        ("run", WANT | {"run": "changed"}, FRESH),
        ("run", WANT | {"test": "changed"}, []),
        ("test", WANT | {"test": "changed", "project": "changed"}, ["lock", "project"]),
        ("run", WANT | {"root": "/srv/moved"}, FRESH),
        ("run", WANT | {"python": "/usr/bin/python3.13"}, []),
    ],
)
def test_set_up_does_what_is_needed_and_no_more(
    goal: str, have: dict[str, str], expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHON", raising=False)
    assert set_up.steps(goal, have, WANT) == expected


def test_a_python_that_is_asked_for_makes_the_environment_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHON", "python3.13")
    assert set_up.steps("run", WANT | {"python": "/usr/bin/python3.13"}, WANT) == FRESH


def test_a_python_that_does_not_fit_is_refused_with_what_to_install() -> None:
    answer = subprocess.run(
        ["sh", "scripts/find_python.sh"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "PYTHON": "no-such-python"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 1
    assert answer.stdout == ""
    assert "no-such-python" in answer.stderr
    assert "apt-get install python3" in answer.stderr


def test_what_cannot_be_installed_fails_the_command_and_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    need = Need("a thing nobody has", lambda: False, ("octavo-no-such-package",), ("octavo-no-such-package",))
    monkeypatch.setattr(system_packages, "needs_of", lambda _goal: [need])
    monkeypatch.setenv("PATH", "")
    assert system_packages.main("run") == 1
    told = capsys.readouterr().err
    assert "a thing nobody has" in told
    assert "octavo-no-such-package" in told


def test_this_machine_has_what_the_tests_need() -> None:
    assert [need.what for need in system_packages.needs_of("test") if not need.is_here()] == []


def test_every_verb_of_the_makefile_is_listed_by_make() -> None:
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for verb in ("run", "test", "check", "bench", "lock", "clean"):
        assert f"make {verb} " in listed


def test_a_pin_binds_what_asks_for_a_package_with_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    # Seen: pikepdf[pdfa], asked for by a package, took the newest release although pikepdf was pinned.
    commands: list[tuple[str, ...]] = []
    monkeypatch.setattr(set_up, "pip", lambda *arguments: commands.append(arguments))
    set_up.carry_out("lock", "run")
    (command,) = commands
    lock = set_up.LOCKS["run"]
    assert command[command.index("--requirement") + 1] == lock
    assert command[command.index("--constraint") + 1] == lock
