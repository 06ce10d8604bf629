"""The import rules in `pyproject.toml` hold and cover every package."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.architecture.checkout import ROOMS, ROOT, python_files

LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")


def test_import_contracts_hold() -> None:
    answer = subprocess.run(
        [str(LINT_IMPORTS), "--no-logo", "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "0 broken" in answer.stdout


def test_a_contract_that_is_broken_is_told(tmp_path: Path) -> None:
    room = tmp_path / "octavo"
    room.mkdir()
    (room / "__init__.py").write_text("import prefect\n")
    rules = tmp_path / "rules.toml"
    rules.write_text(
        '[tool.importlinter]\nroot_packages = ["octavo"]\ninclude_external_packages = true\n'
        '[[tool.importlinter.contracts]]\nname = "core"\ntype = "forbidden"\n'
        'source_modules = ["octavo"]\nforbidden_modules = ["prefect"]\n'
    )
    answer = subprocess.run(
        [str(LINT_IMPORTS), "--no-logo", "--no-cache", "--config", str(rules)],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 1
    assert "core BROKEN" in answer.stdout


def test_every_room_is_under_the_import_contracts() -> None:
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    rooms = {path.parts[0] for path in python_files(*ROOMS)}
    assert rooms == set(rules["root_packages"])


def test_every_folder_of_code_is_a_package() -> None:
    # A regular package anywhere on the path beats a folder without an `__init__.py`.
    folders = {parent for path in python_files() for parent in path.parents if parent != Path()}
    without = [str(folder) for folder in folders if not (ROOT / folder / "__init__.py").is_file()]
    assert not without


def test_imports_stand_at_the_top_of_the_file() -> None:
    # An engine may load its parser late: only the child process that reads the document is to have it. A command may
    # load its work late: help and version are to be there at once.
    hidden = [
        f"{path}:{node.lineno}"
        for path in python_files("octavo", "api", "tasks")
        if path.parts[:2] not in (("octavo", "engines"), ("octavo", "cli"))
        for function in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8")))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
        and any(name.split(".")[0] in ROOMS for name in imported_names(node))
    ]
    assert not hidden, "an import of our own inside a function hides a cycle"


def imported_names(node: ast.Import | ast.ImportFrom) -> list[str]:
    """Return the modules an import statement names."""
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
