"""Pages without usable text: handed to text recognition, and its answer read as a page."""
