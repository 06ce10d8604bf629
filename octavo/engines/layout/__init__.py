"""The `layout` engine: PyMuPDF's layout model says what each part of a page is; the rest is as in `fast`."""
