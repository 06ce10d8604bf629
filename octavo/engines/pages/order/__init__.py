"""The reading order of a page, and what goes on over the end of a column or a page."""
