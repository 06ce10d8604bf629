"""The bytes of a document's figures, by `Figure.image_index`: in memory, or in storage until a rendering needs them."""

from collections.abc import Sequence
from typing import Protocol


class FigureImages(Protocol):
    """Images by index. An index without an image is a KeyError."""

    def size(self, index: int) -> int:
        """Return how many bytes an image has."""
        ...

    def read(self, index: int) -> bytes:
        """Return the bytes of an image."""
        ...


class ImagesInMemory:
    """Images that are at hand; empty bytes stand for one that is not."""

    def __init__(self, images: Sequence[bytes] = ()) -> None:
        self._images = images

    def size(self, index: int) -> int:
        return len(self.read(index))

    def read(self, index: int) -> bytes:
        if index >= len(self._images) or not self._images[index]:
            raise KeyError(index)
        return self._images[index]
