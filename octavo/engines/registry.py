"""Which engines there are, by name: the built-in ones, then those of the entry point group.

An engine is registered as a `module:attribute` reference to something that, called without arguments,
returns an `Engine` (a class, usually). References are plain text, so the process that forks the
sandbox's children can be given the same registry. A name may carry a parameter after a colon
(`sleep:0.05`); the reference is then called with it.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import cast

from octavo.engines.contract import DescribesItself, Engine, EngineInfo, EngineKind
from octavo.errors import UnknownEngine

ENTRY_POINT_GROUP = "octavo.engines"
AUTO = "auto"
DEFAULT_ENGINE = AUTO

BUILT_IN: Mapping[str, str] = {
    "auto": "octavo.engines.auto.policy:auto_engine",
    "fast": "octavo.engines.fast.policy:fast_engine",
    "layout": "octavo.engines.layout.policy:layout_engine",
}
TEST_ENGINES: Mapping[str, str] = {
    "sleep": "octavo.engines.sleep:SleepEngine",
    "failing": "octavo.engines.failing:FailingEngine",
}


@dataclass(frozen=True)
class EngineRegistry:
    """Engines by name. `references` may be given as they are; `installed` finds them."""

    references: Mapping[str, str] = field(default_factory=lambda: dict(BUILT_IN))

    @staticmethod
    def installed(*, test_engines: bool = False) -> "EngineRegistry":
        """Return the built-in engines and those of installed packages; built-in names win.

        `test_engines` adds `sleep` and `failing`, which are never offered by default.
        """
        offered = {point.name: point.value for point in entry_points(group=ENTRY_POINT_GROUP)}
        tests = dict(TEST_ENGINES) if test_engines else {}
        return EngineRegistry({**offered, **BUILT_IN, **tests})

    def names(self) -> tuple[str, ...]:
        """Return the names customers may ask for, `auto` first."""
        return (AUTO, *sorted(self.references.keys() - {AUTO}))

    def resolve(self, name: str | None) -> Engine:
        """Return the engine of that name; without a name the default one, `auto`.

        Raises `UnknownEngine`, whose facts hold the list of names.
        """
        name = DEFAULT_ENGINE if name is None else name
        head, colon, parameter = name.partition(":")
        reference = self.references.get(head)
        if reference is None:
            raise UnknownEngine(
                f"There is no engine {name!r}; one of {', '.join(self.names())}.", engines=list(self.names())
            )
        module, _, attribute = reference.partition(":")
        factory = getattr(importlib.import_module(module), attribute)
        if not colon:
            return cast(Engine, factory())
        try:
            return cast(Engine, factory(parameter))
        except (TypeError, ValueError) as error:
            raise UnknownEngine(
                f"engine {head!r} takes no parameter {parameter!r}", engines=list(self.names())
            ) from error

    def describe(self) -> tuple[EngineInfo, ...]:
        """Return every engine with what customers are told of it, in order of name.

        One of an installed package that cannot even be made is not available, and says why.
        """
        return tuple(self._info(name) for name in sorted(self.references))

    def _info(self, name: str) -> EngineInfo:
        try:
            return _info(self.resolve(name))
        except Exception as error:  # noqa: BLE001 - foreign code: one broken engine must not hide the others
            reason = f"it cannot be loaded: {type(error).__name__}: {error}"
            return EngineInfo(name, "unknown", "unknown", "local", (), available=False, reason=reason)

    def preload(self) -> None:
        """Import what the local engines need, so that forked children have it."""
        for name in self.references:
            engine = self.resolve(name)
            if engine.kind == "local" and engine.availability().available:
                engine.preload()


def _info(engine: Engine) -> EngineInfo:
    availability = engine.availability()
    licence, kind, languages = _description(engine)
    return EngineInfo(
        name=engine.name,
        version=engine.version,
        licence=licence,
        kind=kind,
        languages=languages,
        available=availability.available,
        reason=availability.reason,
    )


def _description(engine: object) -> tuple[str, EngineKind, tuple[str, ...]]:
    """Return licence, kind and languages; engines of installed packages may be older than the contract."""
    if not isinstance(engine, DescribesItself):
        return "unknown", "local", ()
    return engine.licence, engine.kind, tuple(engine.languages)
