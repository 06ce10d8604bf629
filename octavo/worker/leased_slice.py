"""A slice that the worker holds, and how far it has got."""

from concurrent.futures import Future
from dataclasses import dataclass, field

from octavo.batches import Slice
from octavo.client.worker_protocol import OpenedRun
from octavo.extraction.course import Course
from octavo.identifiers import ItemId, RunId
from octavo.pacing import Pace

Ended = tuple[int, int]
"""How many items of a slice succeeded and failed."""


@dataclass
class LeasedSlice:
    """One slice, from its claim until somebody has asked how it ended."""

    slice: Slice
    run: OpenedRun
    run_id: RunId
    pace: Pace
    attempts: dict[ItemId, int] = field(default_factory=dict)
    finished: set[ItemId] = field(default_factory=set)
    courses: dict[ItemId, Course] = field(default_factory=dict)
    """How far the reading of the item in progress has come."""
    is_lost: bool = False
    """Whether the lease is no longer ours."""
    is_done: bool = False
    """Whether nothing of it is left to do: its slot is free, its lease is not renewed."""
    is_abandoned: bool = False
    """Whether nobody will ask how it ended."""
    work: "Future[Ended] | None" = None
    """The work on it, if the worker has begun it by itself."""
