"""The engines that were found able to work; each is asked again after some seconds."""

import time
from dataclasses import dataclass

from octavo.engines.contract import Engine
from octavo.engines.registry import EngineRegistry
from octavo.errors import InternalError

READY_SECONDS = 10.0
"""To ask an engine for its version and whether it can work takes half a millisecond, much for a small page."""


@dataclass(frozen=True, slots=True)
class ReadyEngine:
    """An engine that was found able to work, and until when it need not be asked again."""

    engine: Engine
    version: str
    until: float


class ReadyEngines:
    """Engines by the names they are asked for. Thread-safe."""

    def __init__(self, registry: EngineRegistry) -> None:
        self._registry = registry
        self._ready: dict[str | None, ReadyEngine] = {}

    def get(self, name: str | None) -> ReadyEngine:
        """Return the engine that is meant. Raises UnknownEngine, and InternalError if it cannot work here."""
        ready = self._ready.get(name)
        if ready is not None and time.monotonic() < ready.until:
            return ready
        engine = self._registry.resolve(name)
        availability = engine.availability()
        if not availability.available:
            raise InternalError(f"engine {engine.name} cannot work here: {availability.reason}")
        ready = ReadyEngine(engine, engine.version, time.monotonic() + READY_SECONDS)
        self._ready[name] = ready
        return ready

    def used_lately(self, name: str | None) -> Engine | None:
        """Return an engine that was asked for before, without asking it anything."""
        ready = self._ready.get(name)
        return None if ready is None else ready.engine
