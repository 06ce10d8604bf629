"""A system call filter without libseccomp: a child may not make sockets nor leave its process group.

The program is a list of `sock_filter` records (linux/filter.h): check the architecture, refuse the
32-bit numbers of x86-64, compare the number with each refused call, then with those that depend on an
argument, allow the rest. Refused calls fail with EACCES rather than kill, so that
libraries which merely ask continue.
"""

import ctypes
import errno
import os
import struct

from octavo.engines.sandbox.failures import SandboxUnavailable

_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_SECCOMP = 22
_SECCOMP_MODE_FILTER = 2

_LOAD_WORD, _JUMP_EQUAL, _JUMP_GREATER_EQUAL, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW = 0x7FFF0000
_REFUSE = 0x00050000 | errno.EACCES
_KILL = 0x80000000
_OFFSET_NUMBER, _OFFSET_ARCHITECTURE, _OFFSET_ARGUMENTS, _ARGUMENT_BYTES = 0, 4, 16, 8
_X32_BIT = 0x40000000

# name: (x86-64, aarch64), from asm/unistd_64.h and asm-generic/unistd.h
_REFUSED = {
    "socket": (41, 198),
    "setsid": (112, 157),
    "setpgid": (109, 154),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "io_uring_setup": (425, 425),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "unshare": (272, 97),
    "setns": (308, 268),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "kexec_load": (246, 104),
    "reboot": (169, 142),
    # Memory that belongs to no process, and so falls under no limit of one.
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "semget": (64, 190),
    "mq_open": (240, 180),
}
# name: (x86-64, aarch64, which argument names the process; 0 there means the caller)
_ABOUT_ITSELF = {
    "prlimit64": (302, 261, 0),
    "sched_setparam": (142, 118, 0),
    "sched_setscheduler": (144, 119, 0),
    "sched_setattr": (314, 274, 0),
    "sched_setaffinity": (203, 122, 0),
    "setpriority": (141, 140, 1),
    "ioprio_set": (251, 30, 1),
}
# A child stays the parent of all it has started: that is how its owner finds them.
_PRCTL, _PR_SET_CHILD_SUBREAPER = (157, 167), 36
_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("records", ctypes.c_void_p)]


def _record(code: int, jump_true: int, jump_false: int, value: int) -> bytes:
    return struct.pack("=HBBI", code, jump_true, jump_false, value)


def _program(machine: str) -> bytes:
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
    for numbers in _REFUSED.values():
        records += [_record(_JUMP_EQUAL, 0, 1, numbers[column]), _record(_RETURN, 0, 0, _REFUSE)]
    for *numbers_of, argument in _ABOUT_ITSELF.values():
        records += _by_argument(numbers_of[column], argument, 0, equal=_ALLOW, other=_REFUSE)
    records += _by_argument(_PRCTL[column], 0, _PR_SET_CHILD_SUBREAPER, equal=_REFUSE, other=_ALLOW)
    records.append(_record(_RETURN, 0, 0, _ALLOW))
    return b"".join(records)


def _by_argument(number: int, argument: int, value: int, *, equal: int, other: int) -> list[bytes]:
    return [
        _record(_JUMP_EQUAL, 0, 4, number),
        # The lower half of it, which is all that the kernel looks at; both machines store that first.
        _record(_LOAD_WORD, 0, 0, _OFFSET_ARGUMENTS + _ARGUMENT_BYTES * argument),
        _record(_JUMP_EQUAL, 0, 1, value),
        _record(_RETURN, 0, 0, equal),
        _record(_RETURN, 0, 0, other),
    ]


def forbid_new_privileges(libc: ctypes.CDLL) -> None:
    """Set no_new_privs, without which neither filter nor Landlock may be used."""
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise SandboxUnavailable(f"no_new_privs: {os.strerror(ctypes.get_errno())}")


def install_filter(libc: ctypes.CDLL) -> None:
    """Refuse the listed system calls in this process and all it starts. Raises `SandboxUnavailable`."""
    records = _program(os.uname().machine)
    buffer = ctypes.create_string_buffer(records, len(records))
    program = _Program(len(records) // 8, ctypes.addressof(buffer))
    if libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0):
        raise SandboxUnavailable(f"seccomp: {os.strerror(ctypes.get_errno())}")
