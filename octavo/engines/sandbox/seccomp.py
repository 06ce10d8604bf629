"""A system call filter without libseccomp, from the tables in `system_calls.py`.

The program is a list of `sock_filter` records (linux/filter.h): kill on another architecture, refuse the 32-bit
numbers of x86-64, compare the number with each call in turn, look at arguments, allow the rest. Refused calls fail
with EACCES rather than kill, so that libraries which merely ask continue.
"""

import ctypes
import errno
import os
import struct

from octavo.engines.sandbox.failures import SandboxUnavailable
from octavo.engines.sandbox.system_calls import ABSENT, BY_ARGUMENT, NEWEST_KNOWN, REFUSED, ArgumentRule

_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_SECCOMP = 22
_SECCOMP_MODE_FILTER = 2

_LOAD_WORD, _AND, _JUMP_EQUAL, _JUMP_GREATER, _JUMP_GREATER_EQUAL, _RETURN = 0x20, 0x54, 0x15, 0x25, 0x35, 0x06
_ALLOW = 0x7FFF0000
_REFUSE, _MISS = 0x00050000 | errno.EACCES, 0x00050000 | errno.ENOSYS
_KILL = 0x80000000
_OFFSET_NUMBER, _OFFSET_ARCHITECTURE, _OFFSET_ARGUMENTS, _ARGUMENT_BYTES = 0, 4, 16, 8
_X32_BIT = 0x40000000

_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("records", ctypes.c_void_p)]


def _record(code: int, jump_true: int, jump_false: int, value: int) -> bytes:
    return struct.pack("=HBBI", code, jump_true, jump_false, value)


def program(machine: str) -> bytes:
    """Return the filter for a machine as `os.uname` names it. Raises `SandboxUnavailable`."""
    if machine not in _ARCHITECTURES:
        raise SandboxUnavailable(f"no system call filter is known for {machine} machines")
    column, audit_architecture = _ARCHITECTURES[machine]
    records = [
        _record(_LOAD_WORD, 0, 0, _OFFSET_ARCHITECTURE),
        _record(_JUMP_EQUAL, 1, 0, audit_architecture),
        _record(_RETURN, 0, 0, _KILL),
        _record(_LOAD_WORD, 0, 0, _OFFSET_NUMBER),
    ]
    if machine == "x86_64":
        records += [_record(_JUMP_GREATER_EQUAL, 0, 1, _X32_BIT), _record(_RETURN, 0, 0, _REFUSE)]
    records += [_record(_JUMP_GREATER, 0, 1, NEWEST_KNOWN), _record(_RETURN, 0, 0, _MISS)]
    for calls, action in ((REFUSED, _REFUSE), (ABSENT, _MISS)):
        for numbers in calls.values():
            records += _if_number(numbers[column], [_record(_RETURN, 0, 0, action)])
    for numbers, rules in BY_ARGUMENT.values():
        block = [record for rule in rules for record in _refuse_by(rule)]
        records += _if_number(numbers[column], [*block, _record(_RETURN, 0, 0, _ALLOW)])
    records.append(_record(_RETURN, 0, 0, _ALLOW))
    return b"".join(records)


def _if_number(number: int | None, block: list[bytes]) -> list[bytes]:
    """Return records that run the block, which must not end without a verdict, for one call only."""
    return [] if number is None else [_record(_JUMP_EQUAL, 0, len(block), number), *block]


def _refuse_by(rule: ArgumentRule) -> list[bytes]:
    """Return records that refuse what breaks a rule, and else go on behind it."""
    refuse = _record(_RETURN, 0, 0, _REFUSE)
    # The lower half of it, which both machines store first.
    records = [_record(_LOAD_WORD, 0, 0, _OFFSET_ARGUMENTS + _ARGUMENT_BYTES * rule.argument)]
    records.append(_record(_AND, 0, 0, rule.mask))
    for value in rule.never:
        records += [_record(_JUMP_EQUAL, 0, 1, value), refuse]
    if rule.only:
        records += [_record(_JUMP_EQUAL, left, 0, value) for left, value in _counted_down(rule.only)]
        records.append(refuse)
    return records


def _counted_down(values: tuple[int, ...]) -> list[tuple[int, int]]:
    """Return each value with how many records lie between its own and the end of the rule."""
    return [(len(values) - position, value) for position, value in enumerate(values)]


def forbid_new_privileges(libc: ctypes.CDLL) -> None:
    """Set no_new_privs, without which neither filter nor Landlock may be used."""
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise SandboxUnavailable(f"no_new_privs: {os.strerror(ctypes.get_errno())}")


def install_filter(libc: ctypes.CDLL) -> None:
    """Refuse the listed system calls in this process and all it starts. Raises `SandboxUnavailable`."""
    records = program(os.uname().machine)
    buffer = ctypes.create_string_buffer(records, len(records))
    described = _Program(len(records) // 8, ctypes.addressof(buffer))
    if libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(described), 0, 0):
        raise SandboxUnavailable(f"seccomp: {os.strerror(ctypes.get_errno())}")
