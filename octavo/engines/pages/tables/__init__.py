"""Tables of a page: found by drawn lines or by alignment, read into rows and columns."""
