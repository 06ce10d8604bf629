"""The embedded stack in one process tree: storage, Prefect, API and worker as children of `octavo up`."""
