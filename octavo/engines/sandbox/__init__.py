"""Where untrusted bytes are parsed: disposable children under limits, forked by a small nursery.

    owner process (many threads)            nursery (one thread)           child (one per core)
    pool.py    -- control socket -->        nursery.py  -- fork -->        child.py
               -- one socket per child, handed over through the nursery -->

The owner sends a document's descriptor and reads back frames (`wire.py`); it keeps the wall clock. The
nursery has the parsers loaded, forks, reaps, and ends whole process groups. A child takes its limits
(`confinement.py`, `seccomp.py`, `landlock.py`) before it sees a byte.
"""
