"""The `auto` engine, the default: `fast`, with the layout model for the pages that gain by it."""
