"""etcd's own programs out of the bundle, for looking at a snapshot on this machine."""

from __future__ import annotations

import platform
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from haplane.bundle.manifest import Manifest
from haplane.bundle.unpack import unpack_program
from haplane.errors import BadInput, DeadlinePassed, HaplaneError

PROGRAMS = ("etcd", "etcdctl", "etcdutl")
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class Tools:
    """The programs, in a private directory (0700) that goes with all it holds when they are no longer needed."""

    directory: Path

    def path(self, program: str) -> str:
        """Where a program is."""
        return str(self.directory / program)

    def new_directory(self, prefix: str) -> Path:
        """A fresh private directory."""
        return Path(tempfile.mkdtemp(prefix=f"{prefix}-", dir=self.directory))

    def run(self, program: str, *words: str, deadline_seconds: float = 600) -> str:
        """What it wrote to standard output. Raises HaplaneError with its last line when it fails, DeadlinePassed."""
        try:
            done = subprocess.run(
                [self.path(program), *words], capture_output=True, timeout=deadline_seconds, check=False
            )
        except subprocess.TimeoutExpired:
            raise DeadlinePassed(
                f"{program} did not end within {deadline_seconds:g} s", next_step="run again on a faster machine"
            ) from None
        if done.returncode != 0:
            lines = [line for line in done.stderr.decode(errors="replace").splitlines() if line.strip()]
            raise HaplaneError(f"{program} {words[0]} failed", why=lines[-1] if lines else f"exit {done.returncode}")
        return done.stdout.decode(errors="replace")


@contextmanager
def etcd_tools(bundle: Path, manifest: Manifest) -> Iterator[Tools]:
    """Etcd's programs, unpacked. Raises BadInput when the bundle is for another kind of machine than this one."""
    mine = ARCHITECTURES.get(platform.machine(), platform.machine())
    if manifest.architecture != mine:
        raise BadInput(
            f"this machine is {mine} and the bundle's programs are for {manifest.architecture}",
            where=str(bundle),
            why="a snapshot is tried out here before anything is stopped",
            next_step=f"run this on a machine that is {manifest.architecture}",
        )
    with tempfile.TemporaryDirectory(prefix="haplane-") as directory:
        for name in PROGRAMS:
            unpack_program(bundle, manifest, f"/usr/local/bin/{name}", Path(directory))
        yield Tools(Path(directory))
