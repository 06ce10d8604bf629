"""What every kind of work has in common that waits for a worker: plain frozen records, JSON on the wire."""

from dataclasses import dataclass

from octavo.identifiers import WorkerId


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkRequest:
    """A worker is free to take one more piece of work."""

    worker_id: WorkerId


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """Whether the API accepted what a worker reported, or grants what it asked for."""

    accepted: bool
