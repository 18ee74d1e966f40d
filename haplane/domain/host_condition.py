"""What wears a host out, and its kubelet: the shapes of ``facts/on_host/{condition,kubelet}.py``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from haplane.domain.reported import Count, Number, Observed, ShortText

REFUSALS = ("HTTP 401", "HTTP 403", "CERTIFICATE_VERIFY_FAILED")
"""In ``unserved``: what credentials made anew end, and an API server that restores its own roles when it starts."""

Path = Annotated[str, Field(pattern=r"^/[\w./-]{0,200}$")]
Name = Annotated[str, Field(pattern=r"^[\w@.:-]{1,100}$")]
"""Both are parts of commands."""

Usage = Annotated[tuple[Annotated[Count, Field(ge=0)], ...], Field(max_length=2)]
"""How much of something there is, and the most that there may be."""


class FileSystem(Observed):
    """One below ``path``; sizes in bytes, ``free`` is what others than root may take. Some have no ``inodes``."""

    path: Path
    size: Count
    free: Count
    inodes: Count = 0
    inodes_free: Count = 0
    read_only: bool = False


class Stopped(Observed):
    """A process that a signal or a debugger keeps from going on, and the service or container it belongs to.

    ``frozen``: the file of the control group that keeps it from that instead, "" without.
    """

    program: Name
    process: Annotated[Count, Field(gt=0)]
    frozen: Annotated[str, Field(pattern=r"^(/sys/fs/cgroup/[A-Za-z0-9_./@:\\-]+)?$", max_length=500)] = ""


class HostCondition(Observed):
    """``unread``: what could not be looked at, and why. ``pod_mtu`` is flannel's, 0 without; ``mtus`` by interface.

    ``stopped_time_services`` are enabled, and none runs; ``synchronised``: the kernel's clock follows a time source,
    None where that is not known. ``slow_writes``: seconds of writes to etcd's log in the last 5 minutes, over 1 each.
    ``stopped``: processes of the cluster that exist and do nothing. ``connections``: how many the packet filter
    remembers, and how many it may, or nothing; ``tasks`` and ``files`` likewise, of threads and of open files.
    ``memory``: bytes that programs can still get, and all that there is. ``watches``: the setting by which no more
    files can be watched, "" where they can.
    """

    filesystems: Annotated[tuple[FileSystem, ...], Field(max_length=20)] = ()
    unread: dict[ShortText, ShortText] = Field(default_factory=dict)
    mtus: dict[Name, Count] = Field(default_factory=dict)
    pod_mtu: Count = 0
    stopped_time_services: tuple[Name, ...] = ()
    synchronised: bool | None = None
    slow_writes: Annotated[tuple[Number, ...], Field(max_length=1000)] = ()
    stopped: Annotated[tuple[Stopped, ...], Field(max_length=20)] = ()
    connections: Usage = ()
    tasks: Usage = ()
    files: Usage = ()
    memory: Usage = ()
    watches: Literal["", "fs.inotify.max_user_instances", "fs.inotify.max_user_watches"] = ""

    def stopped_of(self, program: str) -> list[Stopped]:
        """The processes of this service or container that are stopped."""
        return [one for one in self.stopped if one.program == program]


class Kubelet(Observed):
    """``unhealthy``: what is wrong with its /healthz, and then its ``last_error``.

    ``unserved``: why its kubeconfig gets it to no API server.
    """

    unhealthy: ShortText = ""
    last_error: ShortText = ""
    unserved: ShortText = ""

    @property
    def is_refused(self) -> bool:
        """Whether there is an API server, and one of the two does not accept the other's certificate."""
        return any(words in self.unserved for words in REFUSALS)
