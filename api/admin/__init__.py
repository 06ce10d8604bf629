"""What the operator calls: customers and keys."""
