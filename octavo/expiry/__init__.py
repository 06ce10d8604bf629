"""Removes from storage what has expired, was deleted, or is referred to by nothing."""
