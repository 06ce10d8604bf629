"""What a child may not ask of the kernel: system calls by their numbers, and arguments by their values.

Numbers are those of x86-64 and aarch64, from asm/unistd_64.h and asm-generic/unistd.h; None where a machine does
not have the call. Values are from the headers under linux/.
"""

from collections.abc import Mapping
from dataclasses import dataclass

Numbers = tuple[int | None, int | None]

NEWEST_KNOWN = 462
"""The newest call (mseal) that was looked at; those after it are answered as by a kernel that lacks them.

Both machines have the same numbers since 424.
"""

_NETWORK: Mapping[str, Numbers] = {
    "socket": (41, 198),
    "connect": (42, 203),
    "bind": (49, 200),
    "listen": (50, 201),
    "accept": (43, 202),
    "accept4": (288, 242),
}
# Its owner finds and ends what a child has started by the group that it is in.
_FAMILY: Mapping[str, Numbers] = {
    "setsid": (112, 157),
    "setpgid": (109, 154),
    "unshare": (272, 97),
    "setns": (308, 268),
}
_OTHER_PROCESSES: Mapping[str, Numbers] = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    "get_robust_list": (274, 100),
    "move_pages": (279, 239),
    "migrate_pages": (256, 238),
}
# Landlock knows none of these; a descriptor that may only read is enough for some.
_FILE_ATTRIBUTES: Mapping[str, Numbers] = {
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "fchown": (93, 55),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "truncate": (76, 45),  # Landlock knows it since Linux 6.2.
}
_WATCHING: Mapping[str, Numbers] = {
    "inotify_init": (253, None),
    "inotify_init1": (294, 26),
    "inotify_add_watch": (254, 27),
    "fanotify_init": (300, 262),
    "fanotify_mark": (301, 263),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "lookup_dcookie": (212, 18),
}
_MOUNTS: Mapping[str, Numbers] = {
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "statmount": (457, 457),
    "listmount": (458, 458),
}
# Memory that belongs to no process, and so falls under no limit of one; what others keep there is named by a number.
_SHARED_MEMORY: Mapping[str, Numbers] = {
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "msgget": (68, 186),
    "msgsnd": (69, 189),
    "msgrcv": (70, 188),
    "msgctl": (71, 187),
    "semget": (64, 190),
    "semop": (65, 193),
    "semtimedop": (220, 192),
    "semctl": (66, 191),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
}
# What no parser needs, and where the kernel has had most of its holes or shares one store among all processes.
_KERNEL: Mapping[str, Numbers] = {
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_setup": (206, 0),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "acct": (163, 89),
    "syslog": (103, 116),
    "vhangup": (153, 58),
    "iopl": (172, None),
    "ioperm": (173, None),
    "modify_ldt": (154, None),
    "personality": (135, 92),
    "nfsservctl": (180, 42),
    "sync": (162, 81),
    "syncfs": (306, 267),
}
REFUSED: Mapping[str, Numbers] = {
    **_NETWORK,
    **_FAMILY,
    **_OTHER_PROCESSES,
    **_FILE_ATTRIBUTES,
    **_WATCHING,
    **_MOUNTS,
    **_SHARED_MEMORY,
    **_KERNEL,
}
"""Calls that fail whatever their arguments are."""

ABSENT: Mapping[str, Numbers] = {"clone3": (435, 435), "openat2": (437, 437)}
"""Calls whose flags lie in memory, where a filter cannot look: libraries use the older forms instead."""


@dataclass(frozen=True, slots=True)
class ArgumentRule:
    """What the bits of one argument under `mask` must be, or must never be.

    Only the lower half of an argument is looked at, as the kernel does for all arguments named here.
    """

    argument: int
    only: tuple[int, ...] = ()
    never: tuple[int, ...] = ()
    mask: int = 0xFFFFFFFF


_CLONE_PARENT = 0x8000
# Mount, cgroup, UTS, IPC, user, PID and network; CLONE_NEWTIME cannot be asked for here.
_CLONE_NEW = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000
_EVERYBODY = 0xFFFFFFFF
# SOCK_STREAM, SOCK_SEQPACKET
_AF_UNIX, _CONNECTED, _SOCK_TYPE_MASK = 1, (1, 5), 0xF
_O_TRUNC, _O_ACCMODE = 0o1000, 0o3
_F_SETOWN, _F_SETSIG, _F_SETOWN_EX, _F_SETLEASE, _F_NOTIFY = 8, 10, 15, 1024, 1026
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_CHILD_SUBREAPER, _PR_SCHED_CORE = 1, 4, 36, 62
_PRIO_PROCESS, _IOPRIO_WHO_PROCESS, _ITSELF = 0, 1, 0
# TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX, TCGETS2
_ABOUT_DESCRIPTORS = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451, 0x802C542A)
# To truncate is to write, but Landlock before Linux 6.2 looks at the access mode alone.
_TRUNCATES_UNWRITTEN = ArgumentRule(1, never=(_O_TRUNC,), mask=_O_TRUNC | _O_ACCMODE)

BY_ARGUMENT: Mapping[str, tuple[Numbers, tuple[ArgumentRule, ...]]] = {
    "clone": ((56, 220), (ArgumentRule(0, only=(0,), mask=_CLONE_PARENT | _CLONE_NEW),)),
    "kill": ((62, 129), (ArgumentRule(0, never=(_EVERYBODY,)),)),
    "open": ((2, None), (_TRUNCATES_UNWRITTEN,)),
    "openat": ((257, 56), (ArgumentRule(2, never=(_O_TRUNC,), mask=_O_TRUNC | _O_ACCMODE),)),
    # Only what is connected for good: a pair of datagram sockets can send to any address.
    "socketpair": (
        (53, 199),
        (
            ArgumentRule(0, only=(_AF_UNIX,)),
            ArgumentRule(1, only=_CONNECTED, mask=_SOCK_TYPE_MASK),
        ),
    ),
    # Signals by way of a file, and word of what happens to it.
    "fcntl": ((72, 25), (ArgumentRule(1, never=(_F_SETOWN, _F_SETSIG, _F_SETOWN_EX, _F_SETLEASE, _F_NOTIFY)),)),
    "ioctl": ((16, 29), (ArgumentRule(1, only=_ABOUT_DESCRIPTORS),)),
    # A child stays the parent of all it has started, visible to its owner, and ends with the fork server.
    "prctl": (
        (157, 167),
        (ArgumentRule(0, never=(_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_CHILD_SUBREAPER, _PR_SCHED_CORE)),),
    ),
    "prlimit64": ((302, 261), (ArgumentRule(0, only=(_ITSELF,)),)),
    "sched_setparam": ((142, 118), (ArgumentRule(0, only=(_ITSELF,)),)),
    "sched_setscheduler": ((144, 119), (ArgumentRule(0, only=(_ITSELF,)),)),
    "sched_setattr": ((314, 274), (ArgumentRule(0, only=(_ITSELF,)),)),
    "sched_setaffinity": ((203, 122), (ArgumentRule(0, only=(_ITSELF,)),)),
    "setpriority": ((141, 140), (ArgumentRule(0, only=(_PRIO_PROCESS,)), ArgumentRule(1, only=(_ITSELF,)))),
    "ioprio_set": ((251, 30), (ArgumentRule(0, only=(_IOPRIO_WHO_PROCESS,)), ArgumentRule(1, only=(_ITSELF,)))),
}
"""Calls that are allowed as long as every rule for them holds."""
