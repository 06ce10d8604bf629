"""Landlock: a child reads programs and libraries, writes in its own folder, and signals nobody outside.

Numbers from linux/landlock.h. The kernel says which version of the interface it speaks; rights that it
does not know are left out, since asking for them would be an error.
"""

import ctypes
import os
import struct
from collections.abc import Iterable
from pathlib import Path

from octavo.engines.sandbox.failures import SandboxUnavailable

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_QUERY_VERSION = 1
_RULE_PATH_BENEATH = 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_FOLDER = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_READING = _EXECUTE | _READ_FILE | _READ_FOLDER
_ALL_BY_VERSION = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
_ON_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | 1 << 14 | 1 << 15
_TCP_BIND_CONNECT = 3
_SCOPE_SOCKETS_SIGNALS = 3
_VERSION_WITH_NETWORK, _VERSION_WITH_SCOPES = 4, 6


def restrict(libc: ctypes.CDLL, *, readable: Iterable[Path], writable: Iterable[Path]) -> None:
    """Restrict this process for good. Paths that do not exist are left out.

    Raises `SandboxUnavailable` where the kernel has no Landlock.
    """
    version = libc.syscall(_CREATE_RULESET, None, 0, _QUERY_VERSION)
    if version < 1:
        raise SandboxUnavailable("the kernel offers no Landlock")
    known = max(rights for since, rights in _ALL_BY_VERSION.items() if since <= version)
    ruleset = _create(libc, version, known)
    try:
        for path in readable:
            _allow(libc, ruleset, path, _READING & known)
        for path in writable:
            _allow(libc, ruleset, path, known)
        if libc.syscall(_RESTRICT_SELF, ruleset, 0):
            raise SandboxUnavailable(f"Landlock: {os.strerror(ctypes.get_errno())}")
    finally:
        os.close(ruleset)


def _create(libc: ctypes.CDLL, version: int, known: int) -> int:
    attributes = struct.pack(
        "=QQQ",
        known,
        _TCP_BIND_CONNECT if version >= _VERSION_WITH_NETWORK else 0,
        _SCOPE_SOCKETS_SIGNALS if version >= _VERSION_WITH_SCOPES else 0,
    )
    size = 24 if version >= _VERSION_WITH_SCOPES else 16 if version >= _VERSION_WITH_NETWORK else 8
    ruleset: int = libc.syscall(_CREATE_RULESET, ctypes.c_char_p(attributes), size, 0)
    if ruleset < 0:
        raise SandboxUnavailable(f"Landlock: {os.strerror(ctypes.get_errno())}")
    return ruleset


def _allow(libc: ctypes.CDLL, ruleset: int, path: Path, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not path.is_dir():
            rights &= _ON_FILES
        rule = struct.pack("=Qi", rights, descriptor)
        if libc.syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, ctypes.c_char_p(rule), 0):
            raise SandboxUnavailable(f"Landlock, {path}: {os.strerror(ctypes.get_errno())}")
    finally:
        os.close(descriptor)
