"""Commands of the documentation, as they are printed."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class ShellBlock:
    """Lines of a page that are to be pasted into a shell."""

    page: str
    number: int
    text: str

    def __str__(self) -> str:
        return f"{self.page}#{self.number}"


def shell_blocks() -> list[ShellBlock]:
    """Return every block of the README and of all pages below `docs/`, in order."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [
        ShellBlock(str(page.relative_to(ROOT)), number, text)
        for page in pages
        for number, text in enumerate(BLOCK.findall(page.read_text(encoding="utf-8")), 1)
    ]


def blocks_of(page: str) -> list[ShellBlock]:
    """Return the blocks of one page, in order."""
    return [block for block in shell_blocks() if block.page == page]
