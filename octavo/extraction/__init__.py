"""Extraction: a file on local disk becomes a checked `Document`, whatever engine reads it."""
