"""The `fast` engine: text layer, font sizes and ruled lines; recognition where there is no text."""
