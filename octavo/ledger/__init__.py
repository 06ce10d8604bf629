"""The ledger room: the only truth about customers, files, batches, items, leases and usage."""
