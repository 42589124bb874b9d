"""Runs a program under the system call filters that a systemd unit would give it, made with libseccomp.

Usage: confine.py CALLS FAMILIES PROGRAM ARGUMENT...
  CALLS     names of the system calls that SystemCallFilter= leaves, joined by commas; others get EPERM
  FAMILIES  numbers of the address families that RestrictAddressFamilies= leaves; others get EAFNOSUPPORT

Besides, as MemoryDenyWriteExecute= does it, no memory can be both written and run. What those settings mean in calls:
systemd.exec(5), and src/shared/seccomp-util.c of systemd 252 (github.com/systemd/systemd, read 2026-11-28).
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections.abc import Iterable

ALLOW, REFUSE = 0x7FFF0000, 0x00050000
MASKED_EQUAL, EQUAL, GREATER = 7, 4, 6
WRITE_AND_RUN, RUN, RUN_SHARED = 0x6, 0x4, 0o100000
LAST_FAMILY = 46


class Condition(ctypes.Structure):
    """``struct scmp_arg_cmp``."""

    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


LIBRARY = ctypes.CDLL("libseccomp.so.2")
LIBRARY.seccomp_init.restype = ctypes.c_void_p
LIBRARY.seccomp_load.argtypes = [ctypes.c_void_p]
LIBRARY.seccomp_rule_add_array.argtypes = [
    ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.POINTER(Condition),
]  # fmt: skip


class Filter:
    """One filter; the kernel asks all that were loaded, and the strictest answer counts."""

    def __init__(self, otherwise: int) -> None:
        self._context = LIBRARY.seccomp_init(otherwise)

    def add(self, action: int, call: str, *conditions: Condition) -> None:
        """Have a call answered so where its arguments are such; names that this machine has not are passed over."""
        number = LIBRARY.seccomp_syscall_resolve_name(call.encode())
        if number < 0:
            return
        array = (Condition * len(conditions))(*conditions)
        failed = LIBRARY.seccomp_rule_add_array(self._context, action, number, len(conditions), array)
        if failed:
            raise OSError(-failed, f"{call}: {os.strerror(-failed)}")

    def load(self) -> None:
        """Put it in force for this process and all that it starts."""
        failed = LIBRARY.seccomp_load(self._context)
        if failed:
            raise OSError(-failed, os.strerror(-failed))


def confine(calls: Iterable[str], families: set[int]) -> None:
    """Put all filters in force."""
    special = Filter(ALLOW)
    for call, arg, bits in (("mmap", 2, WRITE_AND_RUN), ("mprotect", 2, RUN), ("shmat", 2, RUN_SHARED)):
        special.add(REFUSE | errno.EPERM, call, Condition(arg, MASKED_EQUAL, bits, bits))
    for family in set(range(LAST_FAMILY)) - families:
        special.add(REFUSE | errno.EAFNOSUPPORT, "socket", Condition(0, EQUAL, family, 0))
    special.add(REFUSE | errno.EAFNOSUPPORT, "socket", Condition(0, GREATER, LAST_FAMILY - 1, 0))
    named = Filter(REFUSE | errno.EPERM)
    for call in calls:
        named.add(ALLOW, call)
    special.load()
    named.load()


if __name__ == "__main__":
    confine(sys.argv[1].split(","), {int(family) for family in sys.argv[2].split(",")})
    os.execv(sys.argv[3], sys.argv[3:])
