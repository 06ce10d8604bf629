"""PDF and image files: opened, counted, read page by page."""
