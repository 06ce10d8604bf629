"""Valid documents made invalid, each by a number: the same seed and number give the same bytes.

Except for those of the encrypted document, which is drawn with chance.
"""

import io
import random
import re
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.seeds import Seed, zipped

Mutation = Callable[[bytes, random.Random, Sequence[Seed]], bytes]

MOST_BYTES = 2_000_000
_OBJECT = re.compile(rb"\d+ \d+ obj\b.*?\bendobj", re.S)
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")
_STREAM = re.compile(rb"(?<=stream\n).*?(?=\n?endstream)|(?<=stream\r\n).*?(?=\r?\n?endstream)", re.S)
_ELEMENT = re.compile(rb"<([\w:]+)[^<>]*>[^<>]*</\1>|<[\w:]+[^<>/]*/>")
_VALUE = re.compile(rb"(?<=\")-?\d+(?=\")|(?<=>)-?\d+(?=<)")
_NUMBERS = (b"0", b"-1", b"1", b"65536", b"2147483647", b"-2147483648", b"4294967296", b"99999999999", b"0.0000001")


@dataclass(frozen=True, slots=True)
class Mutant:
    """A mutated document: of which seed, by which mutations."""

    name: str
    seed: str
    mutations: tuple[str, ...]
    data: bytes


def mutant(seed: int, number: int, seeds: Sequence[Seed]) -> Mutant:
    """Return the mutant of that number: one of the seeds after one to four mutations."""
    dice = random.Random(f"{seed}:{number}")
    chosen = dice.choice(seeds)
    fitting = _mutations_for(chosen.data)
    names = tuple(dice.choice(fitting) for _ in range(dice.choice((1, 1, 1, 2, 2, 4))))
    data = chosen.data
    for name in names:
        data = MUTATIONS[name](data, dice, seeds)[:MOST_BYTES]
    return Mutant(f"{number:06d}-{chosen.name}", chosen.name, names, data)


def _mutations_for(data: bytes) -> list[str]:
    if data.startswith(b"PK"):
        return [*_ANY, *("member",) * 9]
    if b"%PDF-" in data[:1024]:
        return [*_ANY, "object", "object", "number", "number", "stream"]
    if data.lstrip().startswith(b"<"):
        return [*_ANY, *("element", "value") * 3]
    return list(_ANY)


def _flip(data: bytes, dice: random.Random, seeds: Sequence[Seed]) -> bytes:
    changed = bytearray(data)
    for _ in range(dice.choice((1, 1, 4, 16, 64)) if changed else 0):
        changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
    return bytes(changed)


def _cut(data: bytes, dice: random.Random, seeds: Sequence[Seed]) -> bytes:
    return data[: dice.randrange(len(data) + 1)]


def _range(data: bytes, dice: random.Random) -> tuple[int, int]:
    start = dice.randrange(len(data) + 1)
    return start, min(len(data), start + dice.choice((1, 16, 256, 4096)))


def _drop(data: bytes, dice: random.Random, seeds: Sequence[Seed]) -> bytes:
    start, end = _range(data, dice)
    return data[:start] + data[end:]


def _repeat(data: bytes, dice: random.Random, seeds: Sequence[Seed]) -> bytes:
    start, end = _range(data, dice)
    return data[:start] + data[start:end] * dice.choice((2, 10, 100)) + data[end:]


def _splice(data: bytes, dice: random.Random, seeds: Sequence[Seed]) -> bytes:
    other = dice.choice(seeds).data
    start, end = _range(other, dice)
    place, past = _range(data, dice)
    return data[:place] + other[start:end] + data[dice.choice((place, past)) :]


def _noise(data: bytes, dice: random.Random, seeds: Sequence[Seed]) -> bytes:
    start, end = _range(data, dice)
    return data[:start] + dice.randbytes(end - start) + data[end:]


def _object(data: bytes, dice: random.Random, seeds: Sequence[Seed]) -> bytes:
    """Put the object of another place, or of another PDF, where one stands."""
    own = list(_OBJECT.finditer(data))
    pdfs = [seed.data for seed in seeds if seed.data.startswith(b"%PDF-")]
    strange = list(_OBJECT.finditer(dice.choice([data, *pdfs])))
    if not own or not strange:
        return _splice(data, dice, seeds)
    place, source = dice.choice(own), dice.choice(strange).group()
    head, body = place.group().partition(b"obj")[0], source.partition(b"obj")[2]
    return data[: place.start()] + head + b"obj" + body + data[place.end() :]


def _number(data: bytes, dice: random.Random, seeds: Sequence[Seed]) -> bytes:
    found = list(_NUMBER.finditer(data))
    if not found:
        return _flip(data, dice, seeds)
    place = dice.choice(found)
    return data[: place.start()] + dice.choice(_NUMBERS) + data[place.end() :]


def _stream(data: bytes, dice: random.Random, seeds: Sequence[Seed]) -> bytes:
    """Mutate what a compressed stream holds, so that the damage gets past the compression."""
    found = list(_STREAM.finditer(data))
    if not found:
        return _flip(data, dice, seeds)
    place = dice.choice(found)
    try:
        inner = zlib.decompress(place.group())
    except zlib.error:
        changed = _plain(dice, b"")(place.group(), dice, seeds)
    else:
        changed = zlib.compress(_plain(dice, inner)(inner, dice, seeds))
    return data[: place.start()] + changed + data[place.end() :]


def _member(data: bytes, dice: random.Random, seeds: Sequence[Seed]) -> bytes:
    """Mutate one file within a ZIP, checksums and all."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError, OSError):
        return _flip(data, dice, seeds)
    if not members:
        return _flip(data, dice, seeds)
    chosen = dice.choice(sorted(members))
    members[chosen] = _plain(dice, members[chosen])(members[chosen], dice, seeds)
    return zipped(members)


def _element(data: bytes, dice: random.Random, seeds: Sequence[Seed]) -> bytes:
    """Take an element of markup away, repeat it, or put another in its place: it stays well-formed."""
    found = list(_ELEMENT.finditer(data))
    if not found:
        return _flip(data, dice, seeds)
    place, other = dice.choice(found), dice.choice(found).group()
    changed = dice.choice((b"", other, other + place.group(), place.group() * dice.choice((2, 10, 1000))))
    return data[: place.start()] + changed + data[place.end() :]


def _value(data: bytes, dice: random.Random, seeds: Sequence[Seed]) -> bytes:
    """Change a number that is a whole value of markup."""
    found = list(_VALUE.finditer(data))
    if not found:
        return _flip(data, dice, seeds)
    place = dice.choice(found)
    return data[: place.start()] + dice.choice(_NUMBERS) + data[place.end() :]


def _plain(dice: random.Random, data: bytes) -> Mutation:
    markup = ("element", "value") * 4 if data.startswith(b"<") else ()
    return MUTATIONS[dice.choice((*_ANY, "number", *markup))]


_ANY = ("flip", "flip", "cut", "drop", "repeat", "splice", "noise")
MUTATIONS: dict[str, Mutation] = {
    "flip": _flip,
    "cut": _cut,
    "drop": _drop,
    "repeat": _repeat,
    "splice": _splice,
    "noise": _noise,
    "object": _object,
    "number": _number,
    "stream": _stream,
    "element": _element,
    "value": _value,
    "member": _member,
}
