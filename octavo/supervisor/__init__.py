"""The embedded stack as one process tree: storage, Prefect, API and workers as children of `octavo up`."""
