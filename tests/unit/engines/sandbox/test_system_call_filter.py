"""The system call filter of both machines, run record by record: the kernel here is only one of them."""

import errno
import struct
from pathlib import Path

import pytest

from octavo.engines.sandbox import seccomp
from octavo.engines.sandbox.failures import SandboxUnavailable
from octavo.engines.sandbox.system_calls import ABSENT, BY_ARGUMENT, NEWEST_KNOWN, REFUSED

ALLOW, KILL = 0x7FFF0000, 0x80000000
REFUSE, MISS = 0x00050000 | errno.EACCES, 0x00050000 | errno.ENOSYS
AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
I386, ARM = 0x40000003, 0x40000028
GETPID = {"x86_64": 39, "aarch64": 172}
MACHINES = tuple(AUDIT)
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}


def verdict(machine: str, number: int, *arguments: int, architecture: int | None = None) -> int:
    """Return what the filter says of a call."""
    data = struct.pack("=iIQ6Q", 0, 0, 0, *(arguments + (0,) * 6)[:6])
    data = struct.pack("=II", number, AUDIT[machine] if architecture is None else architecture) + data[8:]
    records = list(struct.iter_unpack("=HBBI", seccomp.program(machine)))
    accumulator = position = 0
    while True:
        code, jump_true, jump_false, value = records[position]
        position += 1
        match code:
            case 0x20:
                (accumulator,) = struct.unpack_from("=I", data, value)
            case 0x54:
                accumulator &= value
            case 0x15:
                position += jump_true if accumulator == value else jump_false
            case 0x25:
                position += jump_true if accumulator > value else jump_false
            case 0x35:
                position += jump_true if accumulator >= value else jump_false
            case 0x06:
                return int(value)


def call(machine: str, name: str, *arguments: int) -> int:
    number = BY_ARGUMENT[name][0][MACHINES.index(machine)]
    assert number is not None
    return verdict(machine, number, *arguments)


@pytest.fixture(params=MACHINES)
def machine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_listed_calls_are_refused_and_others_are_not(machine: str) -> None:
    column = MACHINES.index(machine)
    for calls, expected in ((REFUSED, REFUSE), (ABSENT, MISS)):
        for name, numbers in calls.items():
            number = numbers[column]
            assert number is None or verdict(machine, number) == expected, name
    assert verdict(machine, GETPID[machine]) == ALLOW


def test_calls_that_nobody_has_looked_at_do_not_exist(machine: str) -> None:
    assert verdict(machine, NEWEST_KNOWN) == ALLOW
    assert {verdict(machine, number) for number in (NEWEST_KNOWN + 1, 470, 1000)} == {MISS}


def test_calls_in_the_name_of_another_machine_kill() -> None:
    assert verdict("x86_64", GETPID["x86_64"], architecture=I386) == KILL
    assert verdict("aarch64", GETPID["aarch64"], architecture=ARM) == KILL
    assert verdict("x86_64", 0x40000000 | GETPID["x86_64"]) == REFUSE, "the 32-bit numbers of x86-64"
    with pytest.raises(SandboxUnavailable, match="riscv64"):
        seccomp.program("riscv64")


@pytest.mark.parametrize("shift", [15, 17, 25, 26, 27, 28, 29, 30])
def test_no_clone_leaves_the_family_or_makes_a_namespace(machine: str, shift: int) -> None:
    assert call(machine, "clone", 17 | 1 << shift) == REFUSE


def test_threads_and_processes_can_be_started(machine: str) -> None:
    thread, vfork = 0x3D0F00, 0x4111
    assert {call(machine, "clone", flags) for flags in (17, thread, vfork)} == {ALLOW}


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("kill", (0xFFFFFFFF, 9), REFUSE),
        ("kill", (4711, 9), ALLOW),
        ("openat", (0, 0, 0o1000), REFUSE),
        ("openat", (0, 0, 0o2001000), REFUSE),
        ("openat", (0, 0, 0o1101), ALLOW),
        ("openat", (0, 0, 0o1002), ALLOW),
        ("openat", (0, 0, 0o0), ALLOW),
        ("socketpair", (1, 1), ALLOW),
        ("socketpair", (1, 0o2004005), ALLOW),
        ("socketpair", (1, 2), REFUSE),
        ("socketpair", (1, 3), REFUSE),
        ("socketpair", (2, 1), REFUSE),
        ("fcntl", (3, 8), REFUSE),
        ("fcntl", (3, 1026), REFUSE),
        ("fcntl", (3, 1030), ALLOW),
        ("ioctl", (3, 0x5401), ALLOW),
        ("ioctl", (3, 0x1_0000_5401), ALLOW),
        ("ioctl", (3, 0x802C542A), ALLOW),
        ("ioctl", (3, 0x40086602), REFUSE),
        ("prctl", (15,), ALLOW),
        ("prctl", (36,), REFUSE),
        ("prlimit64", (0,), ALLOW),
        ("prlimit64", (1,), REFUSE),
        ("setpriority", (0, 0), ALLOW),
        ("setpriority", (0, 1), REFUSE),
        ("setpriority", (2, 0), REFUSE),
        ("ioprio_set", (1, 0), ALLOW),
        ("ioprio_set", (3, 0), REFUSE),
    ],
)
def test_arguments_decide(machine: str, name: str, arguments: tuple[int, ...], expected: int) -> None:
    assert call(machine, name, *arguments) == expected


@pytest.mark.parametrize("machine", [name for name in MACHINES if HEADERS[name].exists()])
def test_numbers_are_those_of_the_kernels_headers(machine: str) -> None:
    column, known = MACHINES.index(machine), dict[str, int]()
    for line in HEADERS[machine].read_text().splitlines():
        match line.split():
            case ["#define", name, number] if name.startswith(("__NR_", "__NR3264_")) and number.isdigit():
                known.setdefault(name.partition("_")[2].partition("_")[2].partition("_")[2], int(number))
    tables = {**REFUSED, **ABSENT, **{name: numbers for name, (numbers, _) in BY_ARGUMENT.items()}}
    # Headers may be older than the newest calls.
    expected = {name: found for name, numbers in tables.items() if (found := numbers[column]) is not None}
    wrong = {name for name, found in expected.items() if known.get(name, found) != found}
    assert len(known) > 200
    assert wrong == set()
