"""How many images, and how many bytes of them, one document may give."""

from octavo.engines.contract import Limits


class ImageBudget:
    """How many images and image bytes a document may still give."""

    def __init__(self, limits: Limits) -> None:
        self.max_pixels = limits.max_page_pixels
        self._count = limits.max_images
        # Half of what the owner takes in, since a figure's size is known only once it is made.
        self._bytes = limits.max_image_bytes // 2

    @property
    def bound(self) -> str:
        """What there is no room for any more."""
        return "there are too many" if self._count < 1 else "they have too many bytes"

    def take(self, size: int) -> bool:
        """Take one image of that many bytes out of the budget; False if there is no room."""
        if self._count < 1 or size > self._bytes:
            return False
        self._count -= 1
        self._bytes -= size
        return True
