"""The archive: everything a ledger can be rebuilt from, as objects in storage."""
