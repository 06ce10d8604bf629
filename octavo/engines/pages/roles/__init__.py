"""What part each paragraph plays: headings, captions, running heads, list items."""
