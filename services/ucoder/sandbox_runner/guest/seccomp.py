"""The seccomp filter of a cell: system calls that no program needs are refused, for this process and all its children.

They would leave something for the next program (System V and POSIX queues and memory, keys), reach into another
process, or widen the attack surface of the kernel below. The cell is the security boundary; this filter is a second
barrier inside it. A cell container in a pod also refuses `socket` (deploy/cell.py).
"""

import ctypes
import os
import struct

_REFUSED = {
    # name: (number on x86_64, number on aarch64). They fail with EPERM.
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "mount_setattr": (442, 442),
    "unshare": (272, 97),
    "setns": (308, 268),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "kexec_load": (246, 104),
    "reboot": (169, 142),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "sethostname": (170, 161),
    "open_by_handle_at": (304, 265),
    "mknodat": (259, 33),
    "mknod": (133, 33),
    "pidfd_getfd": (438, 438),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "kexec_file_load": (320, 294),
    "delete_module": (176, 106),
    "acct": (163, 89),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "quotactl": (179, 60),
    "fanotify_init": (300, 262),
    "adjtimex": (159, 171),
    "clock_adjtime": (305, 266),
    "setdomainname": (171, 162),
    "syslog": (103, 116),
    "vhangup": (153, 58),
    "fspick": (433, 433),
    "name_to_handle_at": (303, 264),
    "move_pages": (279, 239),
    "migrate_pages": (256, 238),
}
_NOT_ON_PROCESS_1 = {
    # They fail with ESRCH (no such process) when aimed at the cell's first process, which may have the programs' user.
    "kill": (62, 129),
    "tkill": (200, 130),
    "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "prlimit64": (302, 261),
    "setpgid": (109, 154),
    "sched_setaffinity": (203, 122),
    "sched_setscheduler": (144, 119),
    "sched_setparam": (142, 118),
    "sched_setattr": (314, 274),
    "pidfd_open": (434, 434),
}
_MACHINES = {"x86_64": (0, 0xC000003E, 56), "aarch64": (1, 0xC00000B7, 220)}
_CLONE3 = 435
_NEW_NAMESPACES = 0x7E020000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_KILL, _ALLOW, _EPERM, _ENOSYS, _ESRCH = 0x80000000, 0x7FFF0000, 0x00050001, 0x00050026, 0x00050003


def program(machine: str) -> bytes:
    """Returns the filter as classic BPF instructions, for one of the machines above."""
    column, architecture, clone = _MACHINES[machine]
    code = [
        (_LOAD, 0, 0, 4),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, 0),
        (_AT_LEAST, 0, 1, 0x40000000),  # the x32 table, in which the numbers mean other system calls
        (_RETURN, 0, 0, _EPERM),
        (_EQUAL, 0, 1, _CLONE3),  # a filter cannot read its flags behind a pointer; the C library falls back to clone
        (_RETURN, 0, 0, _ENOSYS),
    ]
    for numbers in _REFUSED.values():
        code += [(_EQUAL, 0, 1, numbers[column]), (_RETURN, 0, 0, _EPERM)]
    for numbers in _NOT_ON_PROCESS_1.values():
        code += [(_EQUAL, 0, 4, numbers[column]), (_LOAD, 0, 0, 16), (_EQUAL, 0, 1, 1), (_RETURN, 0, 0, _ESRCH)]
        code += [(_RETURN, 0, 0, _ALLOW)]
    code += [
        (_EQUAL, 0, 3, clone),
        (_LOAD, 0, 0, 16),  # the first argument: the flags of clone
        (_ANY_BIT, 0, 1, _NEW_NAMESPACES),
        (_RETURN, 0, 0, _EPERM),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("=HBBI", *line) for line in code)


def install() -> bool:
    """Installs the filter in this process; returns False where the kernel or the machine has no such filters."""
    machine = os.uname().machine
    if machine not in _MACHINES:
        return False
    instructions = program(machine)
    buffer = ctypes.create_string_buffer(instructions, len(instructions))
    header = struct.pack("HxxxxxxP", len(instructions) // 8, ctypes.addressof(buffer))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    no_new_privileges, set_seccomp, mode_filter = 38, 22, 2
    return not prctl(no_new_privileges, 1, 0, 0, 0) and not prctl(set_seccomp, mode_filter, header, 0, 0)
