"""Text recognition: page images in, lines with boxes and confidence out. OCRmyPDF and Tesseract live here."""
