"""The top level is as prescribed, names collide with nothing, and no machine's paths are in the files."""

import ast
import importlib.metadata
import re

import pytest

from tests.architecture.checkout import ROOMS, ROOT, files, python_files, text_of

OWNERS_TOP_LEVEL = {"pyproject.toml", "prefect.yaml", "flows", "tasks", "api", "deployments", "tests"}
TOP_LEVEL = OWNERS_TOP_LEVEL | {
    ".ci",
    ".gitignore",
    "bench",
    "CHANGELOG.md",
    "console",
    "CONTRIBUTING.md",
    "docs",
    "LICENSE",
    "Makefile",
    "octavo",
    "README.md",
    "requirements-dev.lock",
    "requirements.lock",
    "scripts",
    "SECURITY.md",
}
FORBIDDEN_NAMES = {
    # Drawers that everyone imports and nobody owns.
    "utils", "util", "helpers", "helper", "common", "manager", "base", "misc",
    # The standard library's: such a file would take its place when its folder is first on the path.
    "queue", "types", "logging", "email",
}  # fmt: skip

# Put together here, so that this file does not hold what it looks for.
MACHINE_PATHS = re.compile(r"(?<![\w.$}/-])/(?:" + "|".join(["work", "home", "Users"]) + r")/[\w.-]+")
PACKAGE_HOSTS = re.compile("|".join(["py" + r"pi\.org", "python" + r"hosted\.org", r"npmjs" + r"\.(?:org|com)"]), re.I)


def test_the_top_level_is_the_owners() -> None:
    here = {path.parts[0] for path in files()}
    assert here >= OWNERS_TOP_LEVEL
    assert here <= TOP_LEVEL, "a new room or file at the top is a decision: write it down, then list it here"


def test_no_file_or_folder_has_a_forbidden_name() -> None:
    found = [
        str(path)
        for path in python_files()
        if FORBIDDEN_NAMES & {part.removesuffix(".py").lstrip("_") for part in path.parts}
    ]
    assert not found


def test_no_class_is_called_a_manager_or_helper() -> None:
    found = [
        f"{path}:{node.lineno} {node.name}"
        for path in python_files(*ROOMS)
        for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef) and re.search(r"(Manager|Helper|Utils?|Common)$", node.name)
    ]
    assert not found


def test_no_installed_package_takes_a_rooms_name() -> None:
    rooms = {*ROOMS, "bench", "tests", "scripts"}
    owners = importlib.metadata.packages_distributions()
    taken = {room: owners[room] for room in rooms if set(owners.get(room, [])) - {"octavo"}}
    assert not taken


def test_every_module_says_what_it_knows() -> None:
    silent = [
        str(path)
        for path in python_files(*ROOMS)
        if ast.get_docstring(ast.parse((ROOT / path).read_text(encoding="utf-8"))) is None
    ]
    assert not silent


@pytest.mark.parametrize(
    ("what", "pattern"), [("a path of one machine", MACHINE_PATHS), ("a package host", PACKAGE_HOSTS)]
)
def test_no_file_names(what: str, pattern: re.Pattern[str]) -> None:
    found = [
        f"{path}: {match.group()}"
        for path in files()
        if (text := text_of(path)) is not None
        for match in pattern.finditer(text)
    ]
    assert not found, f"a committed file names {what}"


@pytest.mark.parametrize("text", ["see /{}/main/octavo", "'/{}/someone/.cache'", "(/{}/someone)"])
def test_a_path_of_one_machine_is_seen(text: str) -> None:
    assert all(MACHINE_PATHS.search(text.format(top)) for top in ("work", "home", "Users"))


@pytest.mark.parametrize("text", ["flows/home/x/", "$HOME/home/x/", "https://example.com/home/x/"])
def test_other_paths_are_left_alone(text: str) -> None:
    assert not MACHINE_PATHS.search(text)
