"""What decides which document is made of a file's bytes. What is then shown of it are options of a rendering.

`ParseOptions`, the customer and the SHA-256 of the bytes name a stored document (octavo/objects/keys.py), so two
requests that differ only in what they show are read once. A field at its default is left out of the canonical form:
a field that is added later changes no key of a document that was read without it.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Final

JsonValues = dict[str, object]


@dataclass(frozen=True, slots=True, order=True)
class PageRange:
    """Pages `first` to `last`, both included, counted from 1."""

    first: int
    last: int

    def __post_init__(self) -> None:
        if not 1 <= self.first <= self.last:
            raise ValueError(f"not a range of pages: {self.first} to {self.last}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ParseOptions:
    """How a document is to be read. Ranges of pages that overlap or touch become one."""

    extract_text: ClassVar[bool] = True
    extract_images: ClassVar[bool] = True
    """Engines that were written for version 0.1.0 ask for these two. Everything is read."""

    engine: str | None = None
    """The engine's name; None is the default one, until it is chosen."""
    engine_version: str | None = None
    """None until a worker has chosen the engine."""
    declared_type: str | None = None
    """What a file name or a content type says of bytes that are text, which have no signature of their own."""
    pages: tuple[PageRange, ...] = ()
    """The pages to read; empty: all of them."""
    has_password: bool = False
    """Whether a password opens the file. The password itself is part of no key, and stored with no options."""

    def __post_init__(self) -> None:
        if self.pages:
            object.__setattr__(self, "pages", _merged(self.pages))

    def chosen(self, engine: str, engine_version: str) -> "ParseOptions":
        """Return the same options with the engine that reads."""
        return replace(self, engine=engine, engine_version=engine_version)

    def to_values(self) -> JsonValues:
        """Return the options as plain JSON values, without those at their defaults."""
        values: JsonValues = {
            "engine": self.engine,
            "engine_version": self.engine_version,
            "declared": self.declared_type,
            "pages": [[one.first, one.last] for one in self.pages],
            "password": self.has_password,
        }
        return {name: value for name, value in values.items() if value not in (None, [], False)}

    def to_json(self) -> str:
        """Return the canonical JSON: equal for equal options, `{}` for none."""
        return json.dumps(self.to_values(), sort_keys=True, separators=(",", ":"))

    @staticmethod
    def of_values(values: Mapping[str, object]) -> "ParseOptions":
        """Read what `to_values` gave. Raises ValueError for anything else."""
        unknown = sorted(values.keys() - _NAMES)
        if unknown:
            raise ValueError(f"not an option of reading: {', '.join(unknown)}")
        return ParseOptions(
            engine=_text(values, "engine"),
            engine_version=_text(values, "engine_version"),
            declared_type=_text(values, "declared"),
            pages=_ranges(values.get("pages", [])),
            has_password=_truth(values, "password"),
        )

    @staticmethod
    def of_json(stored_json: str) -> "ParseOptions":
        """Read what `to_json` gave. Raises ValueError for anything else."""
        values = json.loads(stored_json)
        if not isinstance(values, dict):
            raise ValueError("options of reading are a JSON object")
        return ParseOptions.of_values(values)


_NAMES: Final = frozenset({"engine", "engine_version", "declared", "pages", "password"})


def _merged(pages: Iterable[PageRange]) -> tuple[PageRange, ...]:
    merged: list[PageRange] = []
    for one in sorted(pages):
        if merged and one.first <= merged[-1].last + 1:
            merged[-1] = PageRange(merged[-1].first, max(merged[-1].last, one.last))
        else:
            merged.append(one)
    return tuple(merged)


def _text(values: Mapping[str, object], name: str) -> str | None:
    value = values.get(name)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{name} is text")
    return value


def _truth(values: Mapping[str, object], name: str) -> bool:
    value = values.get(name, False)
    if not isinstance(value, bool):
        raise ValueError(f"{name} is true or false")
    return value


def _ranges(value: object) -> tuple[PageRange, ...]:
    if not isinstance(value, list):
        raise ValueError("pages are a list of ranges")
    return tuple(_range(one) for one in value)


def _range(value: object) -> PageRange:
    match value:
        case [int(first), int(last)]:
            return PageRange(first, last)
        case _:
            raise ValueError("a range of pages is its first and its last page")
