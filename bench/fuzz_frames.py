"""Random frames as a child would send them that has been taken over: each must end in a result or a listed failure.

    python -m bench.fuzz_frames [--count 100000] [--seed 1]

No process is started: the owner's end of a child is given a socket that holds what the other end has said. Exits 1
if anything else comes out than a checked reading, a `DocumentError` or a `ChildFailure`, or text that cannot be sent.
"""

import argparse
import json
import random
import socket
import struct
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

from bench.scorecard import write_scorecard
from octavo.documents import Block, Box, Cell, Document, Figure, Page, Table
from octavo.engines.contract import Limits, Source
from octavo.engines.observer import ReadingObserver
from octavo.engines.sandbox.child_handle import ChildHandle
from octavo.engines.sandbox.failures import ChildFailure
from octavo.engines.sandbox.fork_server_handle import ForkServerHandle
from octavo.engines.sandbox.wire import Channel
from octavo.errors import DOCUMENT_ERRORS, DocumentError
from octavo.extraction.untrusted import checked_reading
from octavo.parse_options import ParseOptions

LIMITS = replace(
    Limits(),
    wall_seconds=5.0,
    page_seconds=5.0,
    max_document_bytes=100_000,
    max_image_bytes=100_000,
    max_kept_bytes=1000,
)
MOST_SENT, MOST_MESSAGE = 150_000, 3_000
BOX = Box(0, 0, 1, 1)
DOCUMENT = Document(
    (Page(1, 10.0, 10.0),),
    (Block(1, 0, "paragraph", "High water", BOX),),
    (Table(1, 1, BOX, 1, 1, (Cell("412", 0, 0, 1, BOX),)),),
    (Figure(1, 2, BOX, "image/png", 1, 1, 0),),
)
TYPES = ("counted", "working", "keep", "reading", "error", "defect", "task", "confined", "")
KEYS = ("pages", "done", "bytes", "document", "images", "code", "message", "type")
VALUES: tuple[object, ...] = (
    0, 1, -1, 7, True, None, 1e300, 2**31, 2**63, -(2**64), 10**400, "", "a", "\ud800", "\0", [], [[]], [1, -1], [True],
    {}, [2**40] * 3, "x" * 70_000,
)  # fmt: skip


class Told(ForkServerHandle):
    """A fork server whose only child has said all that it will ever say."""

    def __init__(self, said: bytes, folder: Path) -> None:
        self._said = said
        self.folder = folder

    def fork(self) -> tuple[int, Channel, Path]:
        ours, theirs = socket.socketpair()
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * MOST_SENT)
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * MOST_SENT)
        theirs.sendall(frame({"type": "confined", "active": ["limits"]}) + self._said)
        theirs.shutdown(socket.SHUT_WR)
        self._theirs = theirs
        return 0, Channel(ours), self.folder

    def kill(self, pid: int) -> None:
        self._theirs.close()

    def has_ended(self, pid: int) -> bool:
        return False

    @property
    def alive(self) -> bool:
        return True

    def exit_status(self, pid: int) -> int | None:
        return None


def frame(header: object) -> bytes:
    body = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack(">I", len(body)) + body


def said(dice: random.Random) -> bytes:
    """Return what a child says: some frames, each sound, odd, or no frame at all."""
    return b"".join(_piece(dice) for _ in range(dice.randint(1, 5)))[:MOST_SENT]


def _piece(dice: random.Random) -> bytes:
    match dice.randrange(6):
        case 0:
            return dice.randbytes(dice.randint(0, 40))
        case 1:
            return frame(
                dice.choice((b"[" * 100_000, b"{", b"1" * 5000, b"null", b"\xff", b'{"type":"\\ud800"}', b"[]", b""))
            )
        case 2:
            return frame({"type": dice.choice(TYPES), **{dice.choice(KEYS): dice.choice(VALUES) for _ in range(4)}})
        case 3:
            code = dice.choice((*DOCUMENT_ERRORS, "nonsense"))
            return frame({"type": dice.choice(("error", "defect")), "code": code, "message": dice.choice(VALUES)})
        case 4:
            kept = dice.randbytes(dice.randint(0, 9))
            return frame({"type": "keep", "bytes": dice.choice((len(kept), dice.choice(VALUES)))}) + kept
        case _:
            return _reading(dice)


def _reading(dice: random.Random) -> bytes:
    document = bytearray(DOCUMENT.to_json().encode())
    for _ in range(dice.choice((0, 0, 1, 3))):
        place = dice.randrange(len(document))
        document[place : place + dice.randint(0, 8)] = dice.choice(
            (b"", b"-1", b"null", b'"\\ud800"', b"1e999", b"[]", b"9" * 20)
        )
    image = dice.choice((b"\x89PNG\r\n\x1a\n", b"<script>", b""))
    sizes = [len(image)] if dice.random() < 0.8 else dice.choice(VALUES)
    length = len(document) if dice.random() < 0.9 else dice.choice(VALUES)
    return frame({"type": "reading", "document": length, "images": sizes}) + bytes(document) + image


class Listener(ReadingObserver):
    """Takes all that a child may say on the way."""

    keep_seconds = 0.0

    def __init__(self) -> None:
        self.heard: list[object] = []

    def counted(self, pages: int) -> None:
        self.heard.append(pages)

    def page_finished(self, pages: int) -> None:
        self.heard.append(pages)

    def keep(self, piece: bytes) -> None:
        self.heard.append(piece)


def end_of(sent: bytes, folder: Path) -> str:
    """Return how a child ends that says this. Raises whatever must not come out."""
    source = folder / "source"
    child = ChildHandle(Told(sent, folder), LIMITS)
    try:
        reading = checked_reading(child.read(Source(source), ParseOptions(), Listener()))
        reading.document.to_json().encode()
        return "reading"
    except (DocumentError, ChildFailure) as error:
        if len(error.message) > MOST_MESSAGE or not error.message.isprintable():
            raise ValueError("a message that no ledger wants") from error
        return getattr(error, "code", type(error).__name__)
    finally:
        child.kill()


def run(count: int, seed: int) -> Counter[str]:
    """Send what so many children say; return how they ended."""
    ends: Counter[str] = Counter()
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "source").write_text("a document")
        for number in range(count):
            sent = said(random.Random(f"{seed}:{number}"))
            try:
                ends[end_of(sent, folder)] += 1
            except Exception as error:  # noqa: BLE001 - whatever it is, it is what this bench looks for
                ends[f"UNLISTED {type(error).__name__}"] += 1
                print(f"{number}: {type(error).__name__}: {error}", repr(sent[:200]))
    return ends


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    began = time.monotonic()
    ends = run(arguments.count, arguments.seed)
    unlisted = sum(number for end, number in ends.items() if end.startswith("UNLISTED"))
    figures = {
        "seed": arguments.seed,
        "inputs": arguments.count,
        "unlisted": unlisted,
        "ends": dict(ends.most_common()),
    }
    print(json.dumps({**figures, "seconds": round(time.monotonic() - began, 1)}, indent=1))
    if arguments.count >= parser.get_default("count"):
        print(f"written to {write_scorecard('fuzz_frames', cast(dict[str, object], figures))}")
    return 1 if unlisted else 0


if __name__ == "__main__":
    sys.exit(main())
