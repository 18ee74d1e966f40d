"""etcd's own programs out of the bundle, for looking at a snapshot on this machine."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from haplane.agent import processes
from haplane.bundle.manifest import Manifest
from haplane.bundle.unpack import unpack_program
from haplane.domain import host_paths
from haplane.domain.platform import architecture
from haplane.errors import BadInput, DeadlinePassed, HaplaneError
from haplane.file_limits import limited
from haplane.recovery.scratch.private import PrivateSpace, private_space
from haplane.streams import capture, last_line

PROGRAMS = ("etcd", "etcdctl", "etcdutl")
OUTPUT_BYTES = 512 << 20
"""Of what a program prints: the names of all keys of a large cluster are a tenth of that."""


CANNOT_RUN = (126, 127)
"""The exit codes of sh for a program that it cannot start."""


class ProgramFailed(HaplaneError):
    """A program of etcd did not accept its data."""


@dataclass(frozen=True)
class Tools:
    """The bundle's programs in a private directory (0700), which is removed with all its content at the end."""

    directory: Path
    space: PrivateSpace
    etcd_version: str

    def path(self, program: str) -> str:
        """Where a program is."""
        return str(self.directory / program)

    def new_directory(self, prefix: str, data_bytes: int | None = None) -> Path:
        """A fresh private directory; in memory where plain data of that size fits there."""
        return self.space.new(prefix, data_bytes)

    def run(self, program: str, *words: str, deadline_seconds: float = 600, given: int | None = None) -> str:
        """Its standard output. ``given`` is the size in bytes of the data it works on: it bounds its files.

        Raises ProgramFailed with its last line when it fails or writes without end, HaplaneError when it cannot be
        started, DeadlinePassed.
        """
        command = [self.path(program), *words]
        bounded = command if given is None else limited(command, given)
        try:
            done = capture(bounded, b"", deadline_seconds=deadline_seconds, most=OUTPUT_BYTES)
        except TimeoutError:
            raise DeadlinePassed(
                f"{program} did not end within {deadline_seconds:g} s", next_step="run again on a faster machine"
            ) from None
        if done.code in CANNOT_RUN:
            raise HaplaneError(f"{program} cannot be run here", where=command[0], why=last_line(done.stderr))
        if done.cut is not None or done.code != 0:
            why = done.cut or last_line(done.stderr) or f"exit {done.code}"
            raise ProgramFailed(f"{program} {words[0]} failed", why=why)
        return done.stdout.decode(errors="replace")


def dies_with_us(command: Sequence[str]) -> list[str]:
    """The command, killed by the kernel when we are, where it can be: a server on plain data must not outlive us."""
    return processes.dies_with_us(command) if shutil.which("setpriv") else list(command)


@contextmanager
def etcd_tools(bundle: Path, manifest: Manifest) -> Iterator[Tools]:
    """Etcd's programs, unpacked. Raises BadInput when the bundle is for another architecture."""
    mine = architecture(platform.machine())
    if manifest.architecture != mine:
        raise BadInput(
            f"this machine is {mine} and the bundle's programs are for {manifest.architecture}",
            where=str(bundle),
            why="a snapshot is restored on a scratch etcd here before anything is stopped",
            next_step=f"run this on a machine that is {manifest.architecture}",
        )
    with private_space() as space:
        directory = space.new("programs")
        for name in PROGRAMS:
            unpack_program(bundle, manifest, f"{host_paths.BINARIES}/{name}", directory)
        yield Tools(directory, space, manifest.etcd_version)
