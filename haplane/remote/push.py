"""Large files to hosts: one stream through OpenSSH per host, all hosts at once, only what is asked for.

OpenSSH and not pyinfra's transport, because the bytes are encrypted in C there; and one stream of files that were
compressed when the bundle was made, because a bootstrap is mostly this.
"""

from __future__ import annotations

import subprocess
import tarfile
import tempfile
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import IO

from haplane.bundle.manifest import BundleFile
from haplane.config.model import Host
from haplane.domain.progress import Progress
from haplane.errors import DeadlinePassed, HaplaneError
from haplane.remote.connector import answers_no_more
from haplane.remote.openssh import last_line, ssh_command
from haplane.waiting import wait_until

DEADLINE_SECONDS = 1800
MEBIBYTE = 1 << 20


@cache
def _receiver() -> str:
    return (Path(__file__).parent / "on_host" / "receive.py").read_text(encoding="utf-8")


class Push:
    """A stream under way to one host. ``wait`` says how it ended.

    ``here``: archives that the host has, by path, with the image that its containerd is to know from them.
    """

    def __init__(
        self,
        host: Host,
        bundle: Path,
        files: Sequence[BundleFile],
        progress: Progress,
        *,
        here: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.host = host
        self._bundle = bundle
        self._files = files
        self._here = here
        self._progress = progress
        self._total = sum(file.stored_size for file in files)
        self._cut: str | None = None
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process writes to it
        self._process = subprocess.Popen(
            ssh_command(host, "python3", "-c", _receiver()),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
        )
        self._feeder = threading.Thread(target=self._feed, daemon=True)
        self._feeder.start()

    def wait(self, deadline_seconds: float = DEADLINE_SECONDS) -> None:
        """Raises HaplaneError when the stream was cut or the host could not take it, DeadlinePassed when it hangs."""
        try:
            wait_until(self._has_ended, deadline_seconds, "pushing files")
        except DeadlinePassed:
            self._process.kill()
            raise DeadlinePassed(
                f"pushing files to {self.host.name} did not end within {deadline_seconds:.0f} s",
                where=self.host.name,
                next_step="check the network to it, then run again: files that arrived stay",
            ) from None
        self._feeder.join()
        if self._process.returncode != 0:
            raise HaplaneError(
                f"pushing files to {self.host.name} failed",
                where=f"{self.host.name}: {self._total / MEBIBYTE:.0f} MiB in {len(self._files)} files",
                why=self._reason(),
                next_step="mend the cause and run again: files that arrived stay",
            )

    def _has_ended(self) -> bool:
        """A host that is known to be gone is not waited for until ssh misses it as well."""
        if answers_no_more(self.host):
            self._process.kill()
            self._process.wait()
        return self._process.poll() is not None

    def _reason(self) -> str:
        if answers_no_more(self.host):
            return "the host answers no more"
        self._errors.seek(0)
        return last_line(self._errors.read()) or self._cut or f"ssh ended with {self._process.returncode}"

    def _feed(self) -> None:
        pipe = self._process.stdin
        if pipe is None:
            return
        sent = 0
        try:
            with tarfile.open(fileobj=pipe, mode="w|", format=tarfile.PAX_FORMAT, bufsize=MEBIBYTE) as stream:
                for path, image in self._here.items():
                    stream.addfile(_reminder(path, image))
                for file in self._files:
                    self._progress(self.host.name, "pushing", sent / self._total)
                    with (self._bundle / file.stored).open("rb") as content:
                        stream.addfile(_member(file), content)
                    sent += file.stored_size
            _close(pipe)
        except OSError as error:  # the other end went away and says why itself, or the bundle cannot be read
            self._cut = f"the stream was cut: {error}"
            self._process.terminate()


def _close(pipe: IO[bytes]) -> None:
    pipe.flush()
    pipe.close()


def _member(file: BundleFile) -> tarfile.TarInfo:
    member = tarfile.TarInfo(file.path.lstrip("/"))
    member.size, member.mode = file.stored_size, file.mode
    member.pax_headers = {"HAPLANE.sha256": file.sha256, "HAPLANE.compression": file.compression}
    return member


def _reminder(path: str, image: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(path.lstrip("/"))
    member.pax_headers = {"HAPLANE.here": image}
    return member


def wait_for_all(pushes: Sequence[Push]) -> None:
    """Wait for every stream, then raise the first failure."""
    failures = []
    for push in pushes:
        try:
            push.wait()
        except HaplaneError as error:
            failures.append(error)
    if failures:
        raise failures[0]
