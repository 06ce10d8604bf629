"""Figures of a page: embedded images and drawings."""
