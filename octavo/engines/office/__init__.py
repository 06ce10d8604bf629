"""Office documents, web pages, mail and plain text, read by docling's Rust reader."""
