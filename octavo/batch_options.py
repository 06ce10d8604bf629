"""The options of a batch: its dialect, how its documents are read, and what is shown of them. Pure.

`parse` decides which document is made of the bytes, and is the same for every dialect; `shown` is the dialect's own.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from octavo.parse_options import ParseOptions


class Dialect(StrEnum):
    """The API in which a batch was submitted, and in which its customer is answered."""

    EXTRACT_PAGE = "extract.page"
    EXTEND = "extend"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractPageOptions:
    """What `/v1` shows of a document."""

    extract_text: bool = True
    extract_images: bool = True
    ocr: str = "auto"
    """Echoed, without effect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtendOptions:
    """What the Extend dialect shows of a document."""

    config: Mapping[str, object] = field(default_factory=dict)
    """The effective configuration, as it is echoed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions:
    """The effective options of a batch, the same for all of its items."""

    parse: ParseOptions = field(default_factory=ParseOptions)
    shown: ExtractPageOptions | ExtendOptions = field(default_factory=ExtractPageOptions)

    @property
    def dialect(self) -> Dialect:
        """The dialect whose options these are."""
        return Dialect.EXTEND if isinstance(self.shown, ExtendOptions) else Dialect.EXTRACT_PAGE

    def to_values(self) -> dict[str, object]:
        """Return the options as plain JSON values: those that `/v1` echoes, or an object that names its dialect."""
        parse = self.parse.to_values()
        if isinstance(self.shown, ExtendOptions):
            return {"dialect": Dialect.EXTEND.value, "config": dict(self.shown.config), "parse": parse}
        values: dict[str, object] = {
            "extract_text": self.shown.extract_text,
            "extract_images": self.shown.extract_images,
            "ocr": self.shown.ocr,
            "engine": parse.pop("engine", None),
            "engine_version": parse.pop("engine_version", None),
        }
        return values | ({"parse": parse} if parse else {})

    @staticmethod
    def of_values(values: Mapping[str, object]) -> "BatchOptions":
        """Read what `to_values` gave, of any version; what is missing has its default. Raises ValueError."""
        parse = values.get("parse", {})
        if not isinstance(parse, Mapping):
            raise ValueError("options of reading are a JSON object")
        if values.get("dialect") == Dialect.EXTEND:
            config = values.get("config", {})
            if not isinstance(config, Mapping):
                raise ValueError("a configuration is a JSON object")
            return BatchOptions(parse=ParseOptions.of_values(parse), shown=ExtendOptions(config=config))
        engine = {name: values[name] for name in ("engine", "engine_version") if values.get(name) is not None}
        shown = ExtractPageOptions(
            extract_text=bool(values.get("extract_text", True)),
            extract_images=bool(values.get("extract_images", True)),
            ocr=str(values.get("ocr", "auto")),
        )
        return BatchOptions(parse=ParseOptions.of_values({**parse, **engine}), shown=shown)

    def to_json(self) -> str:
        """Return the options as JSON."""
        return json.dumps(self.to_values())

    @staticmethod
    def of_json(text: str) -> "BatchOptions":
        """Read what `to_json` gave, of any version. Raises ValueError."""
        return BatchOptions.of_values(json.loads(text))
