"""Prefect tasks: retries, tags and names around one call into the core."""
