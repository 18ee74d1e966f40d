"""Networks of other processes, as a thread of ours sees them."""

from __future__ import annotations

import ctypes
import os

CLONE_NEWNET = 0x40000000  # linux/sched.h


def network_of(process: int) -> int:
    """An open file of the network namespace that a process is in. Raises OSError once it has gone."""
    return os.open(f"/proc/{process}/ns/net", os.O_RDONLY)


def enter_network(namespace: int) -> None:
    """Move this thread, and no other, into that network. Raises OSError."""
    # os.setns came with Python 3.12; hosts have older ones.
    if ctypes.CDLL(None, use_errno=True).setns(namespace, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")
