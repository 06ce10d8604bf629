"""Renderings of a `Document`. Its text is untrusted and is escaped for whatever it is written into."""
