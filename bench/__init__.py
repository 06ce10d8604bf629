"""Benches: they print figures and write scorecards; never tests."""
