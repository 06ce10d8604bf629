"""Engines are composed, and what only some of them can do is a declared protocol."""

import ast
from collections.abc import Iterator

from octavo.engines.registry import BUILT_IN, TEST_ENGINES, EngineRegistry
from tests.architecture.checkout import ROOT, python_files

ENGINE_METHODS = {"availability", "preload", "extract"}
PROTOCOL = "Engine"


def trees() -> Iterator[tuple[str, ast.Module]]:
    """Yield the rooms where engines are written and used."""
    for path in python_files("octavo"):
        if path.parts[1] in ("engines", "extraction"):
            yield str(path), ast.parse((ROOT / path).read_text(encoding="utf-8"))


def engine_classes() -> dict[str, ast.ClassDef]:
    """Return every class that has what an engine has, by its name."""
    classes = [node for _, tree in trees() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    return {
        node.name: node
        for node in classes
        if {inner.name for inner in node.body if isinstance(inner, ast.FunctionDef)} >= ENGINE_METHODS
    }


def test_no_engine_inherits_from_another() -> None:
    engines = engine_classes()
    assert engines.keys() == {PROTOCOL, "PagesEngine", "SleepEngine", "FailingEngine"}
    heirs = [
        f"{path}:{node.lineno} {node.name}"
        for path, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        and any(isinstance(parent, ast.Name) and parent.id in engines for parent in node.bases)
    ]
    assert not heirs


def test_the_built_in_engines_are_one_class_with_different_policies() -> None:
    registry = EngineRegistry(BUILT_IN)
    assert len({type(registry.resolve(name)) for name in BUILT_IN}) == 1


def test_every_engine_that_ships_says_what_it_is_by_the_declared_protocol() -> None:
    registry = EngineRegistry({**BUILT_IN, **TEST_ENGINES})
    assert "unknown" not in {engine.licence for engine in registry.describe()}


def test_no_attribute_of_an_engine_is_asked_for_by_name_with_a_default() -> None:
    # `getattr(engine, "name", default)` is an undeclared part of the contract; a declared one is a Protocol.
    asked = [
        f"{path}:{node.lineno} {ast.unparse(node)}"
        for path, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr"
        if len(node.args) == 3 and ast.unparse(node.args[0]) != "image"  # Pillow's, which declares no `n_frames`
    ]
    assert not asked
