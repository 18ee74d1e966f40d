"""Large files to hosts: one stream through OpenSSH per host, all hosts at once, only what differs.

OpenSSH and not pyinfra's transport, because the bytes are encrypted in C there; and one stream of files that were
compressed when the bundle was made, because a bootstrap is mostly this.
"""

from __future__ import annotations

import subprocess
import tarfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

from haplane.bundle.manifest import BundleFile, verify_command
from haplane.config.model import Host
from haplane.domain.progress import Progress
from haplane.errors import FIX_AND_RERUN, DeadlinePassed, HaplaneError
from haplane.host_programs import parts, program
from haplane.remote.connection import is_gone
from haplane.remote.executions import Execution
from haplane.remote.openssh import ssh_command
from haplane.remote.pace import PacedPipe
from haplane.scripts import script
from haplane.streams import Tail, last_line

STALL_SECONDS = 120
"""Without a word from the host: it tells what arrives and, every 5 s, that it still imports images."""
END_SECONDS = 45 * 60
"""From the end of the stream: the receiver gives up by itself, after its turn (30 min) and an import (10 min)."""
CONTAINERD_SECONDS = 1800
"""Until containerd serves, from an archive's arrival: its start is a step of the run, which gives up by itself."""
IMPORT_SECONDS = 600
"""From then on: seven archives at once on one emulated core took 60 s and more."""
IMPORT = script("import_image", containerd_seconds=str(CONTAINERD_SECONDS), import_seconds=str(IMPORT_SECONDS))
POLL_SECONDS = 0.05
REPORTS_SECONDS = 5
"""Until the last report is read of a process that has ended; what it left behind may keep the pipe open."""
MOST_REPORT = 64
"""Of a line of the receiver, which is a number; what a login shell prints before is longer and none."""
MEBIBYTE = 1 << 20
NO_SPACE = "no space left on"
ANOTHER_FILE = "is not the file of the bundle's manifest"
MAKE_ROOM = "make room on that file system and re-run the same command"


class Push:
    """A stream under way to one host; ``wait`` waits for its end.

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
        self._execution = Execution.begin(host.name, f"(receive) {len(files)} files, {self._total >> 20} MiB")
        self._process = subprocess.Popen(
            ssh_command(host, "python3", "-I", "-c", program(*parts("remote", "receive")), IMPORT),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._errors = Tail(self._process)
        if self._process.stdin is None or self._process.stdout is None:
            raise HaplaneError("internal error: no pipes to ssh", next_step="please report it")
        self._pipe, self._reports = PacedPipe(self._process.stdin), self._process.stdout
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self._feeder = threading.Thread(target=self._feed, daemon=True)
        self._feeder.start()

    def wait(self, stall_seconds: float = STALL_SECONDS) -> None:
        """Raises HaplaneError when the stream was cut or the host could not take it, DeadlinePassed when it hangs."""
        while self._process.poll() is None:
            if is_gone(self.host):  # ssh notices that much later
                self._kill()
                break
            if late := self._late(stall_seconds):
                self._kill()
                self._execution.end(None)
                raise DeadlinePassed(
                    f"pushing files to {self.host.name}: {late}",
                    where=self.host.name,
                    next_step="check the network to it and re-run (files that arrived are kept)",
                )
            time.sleep(POLL_SECONDS)
        self._feeder.join()
        self._listener.join(REPORTS_SECONDS)
        self._execution.end(self._process.returncode, self._errors.read().decode(errors="replace"))
        if self._process.returncode != 0 or self._cut is not None:
            why = self._reason()
            again = FIX_AND_RERUN
            if NO_SPACE in why.lower():
                again = MAKE_ROOM
            elif ANOTHER_FILE in why:
                again = f"`{verify_command(self._bundle)}` shows what is damaged; then re-run"
            raise HaplaneError(
                f"pushing files to {self.host.name} failed",
                where=f"{self.host.name}: {self._total / MEBIBYTE:.0f} MiB in {len(self._files)} files",
                why=why,
                next_step=f"{again} (files that arrived are kept)",
            )

    def _late(self, stall_seconds: float) -> str:
        now = time.monotonic()
        if now - self._pipe.moved_at > stall_seconds:
            return f"nothing more arrived for {stall_seconds:.0f} s"
        if self._pipe.closed_at is not None and now - self._pipe.closed_at > END_SECONDS:
            return f"it had everything, and did not end within {END_SECONDS / 60:.0f} minutes"
        return ""

    def _kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def _reason(self) -> str:
        if is_gone(self.host):
            return "the host stopped responding"
        return last_line(self._errors.read()) or self._cut or f"ssh ended with {self._process.returncode}"

    def _listen(self) -> None:
        """What has arrived there, as the receiver reports it."""
        shown = -1
        while line := self._reports.readline(MOST_REPORT):
            if line.strip().isdigit():
                if not self._pipe.report(int(line)):
                    self._cut = "it reported more bytes than it was sent"
                    self._process.kill()
                    break
                percent = min(100, 100 * self._pipe.arrived // max(self._total, 1))
                if percent != shown:
                    self._progress(self.host.name, "pushing", percent / 100)
                shown = percent
        self._reports.close()
        self._pipe.end()

    def _feed(self) -> None:
        try:
            with tarfile.open(fileobj=self._pipe, mode="w|", format=tarfile.PAX_FORMAT, bufsize=MEBIBYTE) as stream:  # type: ignore[call-overload]
                for path, image in self._here.items():
                    stream.addfile(_reminder(path, image))
                for file in self._files:
                    with (self._bundle / file.stored).open("rb") as content:
                        stream.addfile(_member(file), content)
            self._pipe.close()
        except OSError as error:  # the other end is gone and has reported why, or the bundle cannot be read
            self._cut = self._cut or f"the stream was cut: {error}"
            self._process.terminate()
            with suppress(OSError):
                self._pipe.close()


def _member(file: BundleFile) -> tarfile.TarInfo:
    member = tarfile.TarInfo(file.path.lstrip("/"))
    member.size, member.mode = file.stored_size, file.mode
    member.pax_headers = {
        "HAPLANE.sha256": file.sha256,
        "HAPLANE.size": str(file.size),
        "HAPLANE.compression": file.compression,
    }
    return member


def _reminder(path: str, image: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(path.lstrip("/"))
    member.pax_headers = {"HAPLANE.here": image}
    return member
