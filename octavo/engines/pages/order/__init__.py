"""The reading order of a page, and what continues over the end of a column or a page."""
