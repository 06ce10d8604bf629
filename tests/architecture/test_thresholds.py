"""Numbers that rules of engines go by are fields of documented records, and nowhere else."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.checkout import ROOT, python_files

ROOMS_WITH_RULES = ("pages", "scans", "office", "layout", "auto", "fast")
PLAIN_NUMBERS = {
    "_POINTS_PER_INCH": "a unit",
    "EMU_PER_POINT": "a unit",
    "CHARACTERS_PER_PAGE": "what a page of flowing text is, for billing",
    "_BOLD_FLAG": "PyMuPDF's",
    "_MONO_FLAG": "PyMuPDF's",
    "_ORIENTATION_TAG": "EXIF's",
    "_MAX_REASON": "characters of a message",
    "_MAX_PLAIN_BYTES": "a bound on kept pages, which our own children made",
    "_LEAST_FIELDS": "how mail is told from text, with the names of its fields",
    "_LONGEST_TYPES_PART": "a bound on what is looked at to tell a format",
    "MEMORY_BYTES": "what a worker plans with, not a rule of reading",
}


def modules() -> Iterator[tuple[Path, ast.Module]]:
    for path in python_files("octavo"):
        if path.parts[1] == "engines" and path.parts[2] in ROOMS_WITH_RULES:
            yield path, ast.parse((ROOT / path).read_text(encoding="utf-8"))


def holds_thresholds(path: Path) -> bool:
    return path.stem == "thresholds" or path.parent.name == "thresholds"


def is_number(node: ast.expr | None) -> bool:
    match node:
        case ast.Constant(value=bool()):
            return False
        case ast.Constant(value=int() | float()):
            return True
        case ast.BinOp(left=left, right=right):
            return is_number(left) and is_number(right)
        case ast.Tuple(elts=[first, *_]):
            return is_number(first)
    return False


def test_no_rule_has_a_number_of_its_own_module() -> None:
    found = [
        f"{path}:{node.lineno} {name.id}"
        for path, tree in modules()
        if not holds_thresholds(path)
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and is_number(node.value)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        for name in ast.walk(target)
        if isinstance(name, ast.Name) and name.id not in PLAIN_NUMBERS
    ]
    assert not found, "a number that a rule goes by is a field of a record in thresholds"


def test_every_threshold_says_what_it_is() -> None:
    silent = [
        f"{path}:{field.lineno} {ast.unparse(field.target)}"
        for path, tree in modules()
        for record in ast.walk(tree)
        if isinstance(record, ast.ClassDef) and (holds_thresholds(path) or record.name == "ModelBounds")
        for field, after in zip(record.body, [*record.body[1:], None], strict=True)
        if isinstance(field, ast.AnnAssign) and is_number(field.value)
        if not (isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant))
    ]
    assert not silent


def test_thresholds_are_many_and_every_record_is_frozen() -> None:
    records = [
        record
        for path, tree in modules()
        if holds_thresholds(path)
        for record in ast.walk(tree)
        if isinstance(record, ast.ClassDef)
    ]
    assert len(records) > 25
    assert all("frozen=True" in ast.unparse(record.decorator_list[0]) for record in records)
