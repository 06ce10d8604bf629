"""Where untrusted bytes are parsed: disposable children under limits, forked by a small fork server.

    owner process (many threads)            fork server (one thread)           child (one per core)
    pool.py    -- control socket -->        fork_server.py  -- fork -->        child.py
               -- one socket per child, handed over through the fork server -->

Whose document comes next is decided by `place_queue.py`: customers take turns, and a child serves one
customer only (`idle_children.py`).

The owner sends a document's descriptor and reads back frames (`wire.py`); it keeps the wall clock. The
fork server has the parsers loaded, forks, reaps, and ends whole process groups. A child takes its limits
(`confinement.py`, `seccomp.py`, `landlock.py`) before it sees a byte.
"""
