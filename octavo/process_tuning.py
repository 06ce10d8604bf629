"""How Python's garbage collector and the scheduler treat a long-lived process of Octavo."""

import gc
import os

_YOUNG_OBJECTS = 10_000
"""New objects between two collections of the youngest: with Python's own 700 a request alone starts several."""
_BOOKKEEPING_NICENESS = 5
"""Where processors are scarce, a process of this niceness has a third of the share of one of niceness 0."""


def exempt_existing_objects() -> None:
    """Exempt all that is there from garbage collection; called once a process is set up.

    A full collection looks at every object, with all threads standing still: with Prefect imported that takes 140 ms,
    which a freed slot would wait (`python -m bench.dispatch`, the slowest in a hundred).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS)


def give_way() -> None:
    """Let processes that hand out work and do it come first where processors are scarce."""
    os.nice(max(0, _BOOKKEEPING_NICENESS - os.nice(0)))
