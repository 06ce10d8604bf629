"""What every ledger must do, run on each of them."""
