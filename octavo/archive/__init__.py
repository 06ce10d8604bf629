"""The archive: what it takes to make a ledger anew, kept as objects in storage."""
