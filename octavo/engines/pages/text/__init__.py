"""The text of a page: lines, rows, paragraphs, and the pieces of lines that may be cells."""
