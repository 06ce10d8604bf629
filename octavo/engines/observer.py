"""Whoever follows the reading of a document: one object from the claim down to the child that reads."""

from collections.abc import Sequence


class ReadingObserver:
    """Follows one reading of one document, on the reader's thread. This one takes no notice of anything.

    Whatever a method raises ends the reading, and comes out where it was asked for.
    """

    keep_seconds: float | None = None
    """How often finished pages are handed to `keep`, at most; None where they are not."""

    def begin(self) -> None:
        """Work on the document really begins: it has waited for a child until now."""

    def counted(self, pages: int) -> None:
        """The document has so many pages; called before they are read, and again if it turns out to be another number.

        An engine need not count the pages in advance.
        """

    def page_finished(self, done: int) -> None:
        """So many pages are finished; called between pages."""

    def keep(self, data: bytes) -> None:
        """Keep a piece of finished pages, so that a reading that is interrupted can be continued."""

    def kept(self) -> Sequence[bytes]:
        """Return the pieces that earlier readings of the same document have kept."""
        return ()
