"""The pipeline that every engine for PDF and image files uses: pages in, a document out."""
