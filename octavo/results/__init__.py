"""Results in storage: whether one is there, and its renderings."""
