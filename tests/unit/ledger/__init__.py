"""Parts of the ledgers that need no storage."""
