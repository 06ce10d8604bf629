"""Write `docs/reference/` anew from the code: every setting, every error, the limits.

    python -m scripts.reference

The pages are committed, so that they can be read without the code; a test fails when they are stale.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from api.http.problems import PASSING, RETRY_AFTER_SECONDS, STATUS
from octavo import errors
from octavo.settings import SETTINGS_FILE, Settings
from scripts.limits_reference import limits_page

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "reference"
MADE = "<!-- Made by `make docs`; change the code, not this page. -->\n"
MADE_AT_START: Mapping[str, str] = {"worker.processes": "its share of the cores", "worker.memory_bytes": "its share"}
"""Defaults that depend on the machine, in words."""
LEAF = re.compile(r"[├└]── (?P<cls>\w+) +(?P<code>[a-z]+_[a-z_]+)(?: +(?P<facts>[a-z_]+)$)?", re.MULTILINE)
"""A line of the tree in the docstring of `octavo/errors.py`."""


def settings_page() -> str:
    """Return the reference page of all settings."""
    parts = [
        MADE,
        "# Settings\n",
        "A setting is an environment variable or a line of the settings file in the data directory, "
        f"`{SETTINGS_FILE}`; the environment wins. Settings are read when a process starts.\n",
        '```toml\n# .octavo/octavo.toml\n[api]\nhost = "0.0.0.0"\npublic_url = "https://octavo.example"\n```\n',
        "A list is JSON in the environment: `OCTAVO_API__ALLOWED_ORIGINS='[\"https://app.example\"]'`.\n",
        "`octavo up` makes ports, addresses and keys of the embedded parts itself and hands them to its children.\n",
        *_group("", Settings, "Settings of the whole"),
    ]
    for name, info in Settings.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            parts += _group(name, info.annotation, f"`[{name}]`")
    return "\n".join(parts)


def _group(name: str, model: type[BaseModel], heading: str) -> Iterator[str]:
    yield f"## {heading}\n"
    yield f"{(model.__doc__ or '').strip()}\n"
    yield "| setting | environment | default | meaning |\n|---|---|---|---|"
    for field, info in model.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            continue
        path = f"{name}.{field}" if name else field
        variable = "OCTAVO_" + path.upper().replace(".", "__")
        yield f"| `{field}` | `{variable}` | {_default(path, info)} | {_cell(info.description or '')}{_kind(info)} |"
    yield ""


def _default(path: str, info: FieldInfo) -> str:
    if path in MADE_AT_START:
        return MADE_AT_START[path]
    if info.default_factory is not None:
        return f"`{info.get_default(call_default_factory=True)}`"
    value = info.default
    if value is PydanticUndefined:
        return "must be given"
    if value is None:
        return "none"
    return f"`{value}`" + _in_words(path, value)


def _in_words(path: str, value: object) -> str:
    if path.endswith("_bytes") and isinstance(value, int):
        return f" ({value // 1024**2} MiB)"
    if path.endswith("_seconds") and isinstance(value, int | float) and value >= 3600:
        return f" ({value / 3600:g} h)"
    return ""


def _kind(info: FieldInfo) -> str:
    return " A secret: better in the environment than in a file." if "SecretStr" in str(info.annotation) else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def errors_page() -> str:
    """Return the reference page of all errors."""
    facts = facts_by_class()
    return "\n".join(
        [
            MADE,
            "# Errors\n",
            "A code is for ever: codes may be added, none changes its meaning "
            "([why](../adr/0012-error-codes-are-for-ever.md)).\n",
            "## Of a request\n",
            'The body is `{"error": CODE, "message": SENTENCE, ...facts}`; the message says what to do, the facts are '
            f"for programs. {_in_a_row(PASSING)} pass by themselves and carry `Retry-After: {RETRY_AFTER_SECONDS}`.\n",
            "| code | status | facts | meaning |\n|---|---|---|---|",
            *(
                f"| `{cls.code}` | {STATUS[cls]} | {_quoted(facts.get(cls.__name__))} | {_meaning(cls)} |"
                for cls in errors.RequestError.__subclasses__()
            ),
            "",
            "A body or parameter of the wrong shape is answered with 422 and FastAPI's `detail` list instead. "
            "An address or method that does not exist is `not_found` (404) or `method_not_allowed` (405). "
            "A ledger in trouble is `ledger_unavailable` (503, with `Retry-After`). "
            "A defect of Octavo is `internal_error` (500); the log has its details.\n",
            "## Of an item\n",
            'What a document came to: `"error": {"code", "message", "retryable"}` of an item that is `failed`. '
            "`retryable` says whether the same document may succeed another time.\n",
            "| code | retryable | meaning |\n|---|---|---|",
            *(
                f"| `{cls.code}` | {'yes' if cls.retryable else 'no'} | {_meaning(cls)} |"
                for cls in errors.DOCUMENT_ERRORS.values()
            ),
            "",
            "## Of the installation\n",
            "The command line prints one line and ends with exit code 1; the other processes write it to their log.\n",
            "| code | meaning |\n|---|---|",
            *(f"| `{cls.code}` | {_meaning(cls)} |" for cls in errors.OperationError.__subclasses__()),
            "",
        ]
    )


def facts_by_class() -> dict[str, str | None]:
    """Return the fact that each class of the tree in `octavo/errors.py` says it carries."""
    return {found["cls"]: found["facts"] for found in LEAF.finditer(errors.__doc__ or "")}


def codes_by_class() -> dict[str, str]:
    """Return the code that the same tree says each class has."""
    return {found["cls"]: found["code"] for found in LEAF.finditer(errors.__doc__ or "")}


def _in_a_row(classes: Iterable[type[errors.OctavoError]]) -> str:
    return " and ".join(f"`{cls.code}`" for cls in classes)


def _quoted(name: str | None) -> str:
    return f"`{name}`" if name else ""


def _meaning(cls: type[errors.OctavoError]) -> str:
    return _cell((cls.__doc__ or "").strip().partition("\n")[0])


PAGES: Mapping[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "errors.md": errors_page,
    "limits.md": lambda: f"{MADE}\n{limits_page()}",
}


def main() -> None:
    """Write every page."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")
        print(f"wrote docs/reference/{name}")


if __name__ == "__main__":
    main()
