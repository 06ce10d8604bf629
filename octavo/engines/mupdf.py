"""PyMuPDF as this project loads it: without the layout models that version 2 loads on import.

The models cost seconds, 200 MB and threads, which a process that forks must not have. While the two
modules that load them are marked as absent, `import pymupdf` goes without; afterwards the marks are
taken away, so an engine that wants the models may import `pymupdf.layout` in its child.
"""

import ctypes
import importlib
import sys
from typing import Any

_MODELS = ("pymupdf.layout", "pymupdf4llm")

_absent = [name for name in _MODELS if name not in sys.modules]
sys.modules.update(dict.fromkeys(_absent))  # type: ignore[arg-type]  # None marks a module as absent
try:
    pymupdf = importlib.import_module("pymupdf")
finally:
    for _name in _absent:
        sys.modules.pop(_name, None)

PdfDocument = Any
PdfPage = Any
PdfTable = Any
PdfTextPage = Any
"""PyMuPDF's objects; its own annotations do not hold up under a strict checker."""

PDF_ERRORS: tuple[type[Exception], ...] = (
    pymupdf.mupdf.FzErrorBase,
    RuntimeError,
    ValueError,
    TypeError,
    IndexError,
    KeyError,
    AttributeError,
    ZeroDivisionError,
    AssertionError,
)
"""What damaged input makes PyMuPDF raise; running out of memory is not among them."""

pymupdf.no_recommend_layout()
pymupdf.TOOLS.mupdf_display_errors(False)
pymupdf.TOOLS.mupdf_display_warnings(False)

_libc = ctypes.CDLL(None)


def release_caches() -> None:
    """Give back what PyMuPDF keeps of pages that are done: fonts, images, and the holes between them.

    Measured: without it 1.3 MB a page stay under `layout`, 0.4 MB under `fast`; the fonts of the pages that follow are
    loaded again, which in plain prose takes a thirtieth of the time once in forty pages.
    """
    pymupdf.TOOLS.store_shrink(100)
    if hasattr(_libc, "malloc_trim"):  # glibc's; others give memory back by themselves
        _libc.malloc_trim(0)
