"""Engines: what turns bytes into a `Document`, and the sandbox in which local ones work."""
