"""Names may be any bytes: they come back as they were, and nothing in them acts on a terminal."""

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octavo.client.names import local_name, printable, relative_name, result_name, wire_name

FILE_NAMES = st.binary(min_size=1, max_size=80).map(lambda raw: os.fsdecode(raw.replace(b"\0", b"\\x")))


@given(FILE_NAMES)
def test_every_name_comes_back_from_its_form_on_the_wire(name: str) -> None:
    wire = wire_name(name)
    assert json.loads(json.dumps({"filename": wire}, ensure_ascii=False).encode()) == {"filename": wire}
    assert os.fsencode(local_name(wire)) == os.fsencode(name)


@pytest.mark.parametrize("name", ["report.pdf", "ümläut.pdf", r"a\b.pdf", "line\nbreak.pdf", "-rf.pdf", "con.txt"])
def test_a_name_in_utf_8_is_sent_as_it_is(name: str) -> None:
    assert wire_name(name) == name


def test_bytes_that_are_not_utf_8_are_spelled_out_on_the_wire() -> None:
    assert wire_name(os.fsdecode(b"caf\xe9.pdf")) == r"caf\xe9.pdf"
    assert wire_name(r"caf\xe9.pdf") == r"caf\x5cxe9.pdf"


@given(FILE_NAMES)
def test_what_is_printed_can_only_be_read(name: str) -> None:
    shown = printable(name)
    assert shown.encode()
    assert not [character for character in shown if ord(character) < 32 or 0x7F <= ord(character) < 0xA0]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\nb.pdf", r"a\nb.pdf"),
        ("\x1b[2J\x1b]0;owned\x07.pdf", r"\x1b[2J\x1b]0;owned\x07.pdf"),
        (os.fsdecode(b"caf\xe9.pdf"), r"caf\xe9.pdf"),
        ("invoice\u202efdp.exe", r"invoice\u202efdp.exe"),
        ("報告\u3000書.pdf", "報告\u3000書.pdf"),
    ],
)
def test_what_a_terminal_would_obey_is_spelled_out(name: str, shown: str) -> None:
    assert printable(name) == shown


@pytest.mark.parametrize(
    ("untrusted", "name"),
    [
        ("deep/b.pdf", "deep/b.pdf"),
        ("/etc/passwd", "etc/passwd"),
        ("../../x", "x"),
        ("a/./../b", "a/b"),
        ("..", "item_1"),
        ("", "item_1"),
        (None, "item_1"),
        ("a\0b", "ab"),
    ],
)
def test_a_name_from_elsewhere_cannot_lead_out_of_the_folder(untrusted: str | None, name: str) -> None:
    assert relative_name(untrusted, "item_1") == name


@given(FILE_NAMES.filter(lambda name: "/" not in name and name not in (".", "..")))
def test_a_result_has_the_name_of_its_file_and_a_suffix(name: str) -> None:
    assert result_name(name) == f"{name}.json"


@pytest.mark.parametrize("character", ["a", "é", "報"])
def test_a_name_too_long_for_its_suffix_is_shortened_between_characters_and_stays_apart(character: str) -> None:
    longest = character * (255 // len(character.encode()))
    names = {result_name(longest[:-4] + ending) for ending in (".pdf", ".txt", "0000", "0001")}
    assert len(names) == 4
    for name in names:
        assert 240 <= len(os.fsencode(name)) <= 255
        assert name.encode().decode() == name
    assert any(name.endswith(".pdf.json") for name in names)
