"""The ledger in DuckDB: one file, owned by one process."""

from octavo.ledger.duckdb.ledger import DuckdbLedger, memory_ledger

__all__ = ["DuckdbLedger", "memory_ledger"]
