"""A document that was read."""

from dataclasses import dataclass, replace

from octavo.documents import Document


@dataclass(frozen=True, slots=True)
class Extraction:
    """A document that was read; `images[figure.image_index]` are a figure's bytes."""

    document: Document
    images: tuple[bytes, ...]
    engine: str
    engine_version: str
    seconds: float
    """How long the reading took, without what it waited for a child."""

    @property
    def warnings(self) -> tuple[str, ...]:
        return self.document.warnings

    @property
    def failed_pages(self) -> int:
        """How many pages could not be read."""
        return sum(page.status == "failed" for page in self.document.pages)

    def with_images_from(self, first: int) -> "Extraction":
        """Return the same with its images numbered from there on; those below are empty."""
        figures = tuple(replace(one, image_index=one.image_index + first) for one in self.document.figures)
        return replace(self, document=replace(self.document, figures=figures), images=(b"",) * first + self.images)
