"""The API's rooms: dialects call use cases, and only use cases know the rules."""

import ast
from pathlib import Path

import pytest

from tests.architecture.checkout import ROOT, python_files

DIALECTS = [path for path in python_files("api") if path.parts[:2] == ("api", "v1")]
RUNNING_PARTS = ("api.orchestrator", "api.workers", "api.background")
PARTS_OF_A_RULE = {"ledger", "objects", "dispatcher", "retention", "page_renders", "sync_extractions"}
LONGEST_HANDLER = 15


def test_the_dialects_are_found() -> None:
    assert len(DIALECTS) >= 15


@pytest.mark.parametrize("path", DIALECTS, ids=str)
def test_a_dialect_imports_no_running_part(path: Path) -> None:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    modules = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert not [module for module in modules if module.startswith(RUNNING_PARTS)]


@pytest.mark.parametrize("path", DIALECTS, ids=str)
def test_a_dialect_reaches_ledger_and_storage_through_use_cases_alone(path: Path) -> None:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    reached = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "service"
        and node.attr in PARTS_OF_A_RULE
    }
    assert not reached


@pytest.mark.parametrize("path", DIALECTS, ids=str)
def test_a_handler_parses_calls_and_renders(path: Path) -> None:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    long = [
        f"{handler.name}: {lines}"
        for handler in ast.walk(tree)
        if isinstance(handler, ast.FunctionDef | ast.AsyncFunctionDef)
        and any(ast.unparse(decorator).startswith("router.") for decorator in handler.decorator_list)
        and (lines := body_lines(handler)) > LONGEST_HANDLER
    ]
    assert not long


def body_lines(handler: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return how many lines a function has below its docstring."""
    statements = handler.body[1:] if ast.get_docstring(handler) is not None else handler.body
    last = statements[-1].end_lineno or 0
    return last - statements[0].lineno + 1
