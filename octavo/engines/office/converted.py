"""The one call of docling-rs: bytes in, docling's document out. Runs in a sandboxed child.

Nothing is fetched: images by address are left alone, and the child has no network anyway.
"""

import warnings

from docling_core.types.doc.document import DoclingDocument
from docling_rs import ConversionError, DocumentConverter, EncryptionError
from pydantic import ValidationError

from octavo.engines.office.kinds import OfficeKind
from octavo.errors import ExtractionFailed

_EXTENSIONS: dict[OfficeKind, str] = {"markdown": "md", "text": "txt"}


def converted(data: bytes, kind: OfficeKind) -> DoclingDocument:
    """Return what docling makes of a document of this kind. Raises `ExtractionFailed`."""
    # By a name of our own: what the customer called it must not choose the parser.
    name = f"document.{_EXTENSIONS.get(kind, kind)}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found: DoclingDocument = DocumentConverter().convert_bytes(name, data).document
        except EncryptionError as error:
            raise ExtractionFailed("the document needs a password") from error
        except ConversionError as error:
            raise ExtractionFailed(f"the document is damaged: {error}") from error
        except ValidationError as error:
            # What Docling's reader lets through, its own model may refuse: headings of the 255th level.
            raise ExtractionFailed("the document makes no sense") from error
    return found
