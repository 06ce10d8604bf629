"""Octavo's core: documents, batches, ledger, objects, engines; it knows neither Prefect nor FastAPI."""

__version__ = "0.1.0"
