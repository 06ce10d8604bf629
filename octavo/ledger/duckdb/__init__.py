"""The ledger in DuckDB: one file, owned by one process."""

from octavo.ledger.duckdb.ledger import DuckdbLedger

__all__ = ["DuckdbLedger"]
