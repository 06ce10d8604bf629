"""Prefect flows, one per file, named by a verb."""
