"""Routes for the operator: customers, keys, usage."""
