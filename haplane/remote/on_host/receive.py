"""Runs on a host, with nothing but Python's standard library: takes a tar stream of files, each final by itself.

Every member is written under a temporary name beside its place, unpacked if it is compressed, hashed on the way, and
only then stamped and renamed: a stream that is cut, or a file that is not the one in the bundle's manifest, leaves
whole files and nothing else. Nothing is forced to disk, which would double the time of a bootstrap: content that a
power cut takes away no longer fits its stamp, and is hashed and sent again. Image archives are handed to containerd
as soon as they are complete, while the next one arrives: the argument is the shell script that does that for one
(``scripts/import_image.sh``).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
from typing import IO

STAMPS = "/var/lib/haplane/stamps.json"
IMAGE_DIRECTORY = "/var/lib/haplane/images/"
CHUNK = 1 << 20
PIECE = 1 << 16
DIFFERS = "{} is not the file of the bundle's manifest: {}"
KUBELET_CONF = "/etc/kubernetes/kubelet.conf"
"""Where it is, pods are at work, and one image at a time is imported, without its layers being unpacked: containerd
does that at their own priority. The first container of each image waits for it: that of an API server while it is
out of service anyway."""
TURN = "/run/haplane-import"
TURN_SECONDS = 1800
NO_TURN = 75
"""What flock ends with when the import before has taken all of that time."""
REPORT_SECONDS = 5
BEHIND_OTHERS = 10
"""Of nice: what serves on the host goes first. Files of the next version are staged beside an API server at work."""
CONTAINERD = "/var/lib/containerd"
NO_SPACE = "no space left on"
MEBIBYTE = 1 << 20


def main() -> None:
    """Take the stream on standard input; exit with a sentence when something of it did not arrive."""
    os.umask(0o022)
    os.nice(BEHIND_OTHERS)
    os.makedirs(os.path.dirname(STAMPS), exist_ok=True)
    imports = []
    stream = Reporting()
    with tarfile.open(fileobj=stream, mode="r|", bufsize=PIECE) as members:  # type: ignore[call-overload]
        for member in members:
            path = "/" + member.name
            here = member.pax_headers.get("HAPLANE.here")
            if here is not None:
                imports.append((path, *import_image(path, here)))
                continue
            content = members.extractfile(member)
            if content is None:
                sys.exit(path + " in the stream is not a file")
            receive(content, path, member)
            if path.startswith(IMAGE_DIRECTORY):
                imports.append((path, *import_image(path)))
    while stream.read(PIECE):  # padding: without a reader, who sends it would take the stream for cut
        pass
    failed = []
    for path, process, said in imports:
        if (code := ended(process, stream)) != 0:
            said.seek(0)
            words = said.read().decode(errors="replace").splitlines()[-1:]
            if code == NO_TURN:
                words = [f"another import on this host did not end within {TURN_SECONDS} s"]
            failed.append(": ".join((path, *words)))
    if failed:
        place = [NO_SPACE + " " + file_system(CONTAINERD)] if NO_SPACE in "".join(failed).lower() else []
        sys.exit("containerd did not import " + "; ".join(failed + place))


class Reporting:
    """Standard input. After each piece of it a line on standard output says how many bytes have arrived."""

    def __init__(self) -> None:
        self._arrived = 0

    def read(self, most: int) -> bytes:
        """What there is, up to ``most`` bytes; empty at the end."""
        data = os.read(0, min(most, PIECE))
        self._arrived += len(data)
        self.report()
        return data

    def report(self) -> None:
        """Say so, again where nothing more comes: what is done with it takes its time."""
        with contextlib.suppress(OSError):  # nobody is interested any more
            os.write(1, b"%d\n" % self._arrived)


def ended(process: subprocess.Popen[bytes], stream: Reporting) -> int:
    """The import's exit code; it has a deadline of its own, and meanwhile the other end hears of us."""
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(REPORT_SECONDS)
        stream.report()


def receive(source: IO[bytes], path: str, member: tarfile.TarInfo) -> None:
    """Put one member in its place, whole or not at all."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    temporary = path + ".haplane-new"
    sha256, size = member.pax_headers["HAPLANE.sha256"], int(member.pax_headers["HAPLANE.size"])
    try:
        with open(temporary, "wb") as target:
            compressed = member.pax_headers.get("HAPLANE.compression") == "zstd"
            actual = unpack(source, target, path, size) if compressed else copy(source, target, path, size)
        if actual != sha256:
            sys.exit(DIFFERS.format(path, f"its SHA-256 is {actual}, that of the manifest {sha256}"))
        os.chmod(temporary, member.mode)
        stamp(path, temporary, sha256)
        refuse_without_lock()
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            where = file_system(os.path.dirname(path))
            sys.exit(f"{path}, {-(-size // MEBIBYTE)} MiB: {NO_SPACE} {where}")
        raise


def file_system(path: str) -> str:
    """That of a path, and what is free there: without inodes it is full as well."""
    while not os.path.ismount(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    free = os.statvfs(path)
    return f"the file system {path} ({free.f_bavail * free.f_frsize // MEBIBYTE} MiB, {free.f_favail} inodes free)"


def refuse_without_lock() -> None:
    """A run that lost its lock lost its shell (hold.py): nothing of it takes its place any more."""
    shell = os.environ.get("HAPLANE_RUN")
    if shell is not None and not os.path.exists(shell):
        sys.exit("the run no longer holds the lock on this host")


def copy(source: IO[bytes], target: IO[bytes], path: str, size: int) -> str:
    """No more than ``size`` bytes; the SHA-256 of what was written."""
    digest, left = hashlib.sha256(), size
    while content := source.read(CHUNK):
        left -= len(content)
        if left < 0:
            sys.exit(DIFFERS.format(path, f"it is larger than {size} bytes"))
        digest.update(content)
        target.write(content)
    return digest.hexdigest()


def unpack(source: IO[bytes], target: IO[bytes], path: str, size: int) -> str:
    """As :func:`copy`, decompressed on the way."""
    with tempfile.TemporaryFile() as said:
        zstd = subprocess.Popen(["zstd", "-dcq"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said)
        if zstd.stdin is None or zstd.stdout is None:
            sys.exit("no pipes")
        feeder = threading.Thread(target=feed, args=(source, zstd.stdin), daemon=True)
        feeder.start()
        try:
            digest = copy(zstd.stdout, target, path, size)
        except BaseException:
            zstd.kill()
            feeder.join(5)  # it meets the broken pipe
            raise
        feeder.join()
        if zstd.wait() != 0:
            said.seek(0)
            sys.exit("zstd cannot unpack " + path + ": " + said.read(1000).decode(errors="replace").strip())
    return digest


def feed(source: IO[bytes], pipe: IO[bytes]) -> None:
    """All of it, unless the other end gives up, which says why."""
    with contextlib.suppress(BrokenPipeError), pipe:
        shutil.copyfileobj(source, pipe, CHUNK)


def stamp(path: str, temporary: str, sha256: str) -> None:
    """Size, time and inode survive the rename; a stamp of a file that never took its place matches nothing."""
    status = os.stat(temporary)
    with open(STAMPS + ".lock", "w", encoding="utf-8") as turn:  # binaries and images arrive in streams of their own
        fcntl.flock(turn, fcntl.LOCK_EX)
        stamps = {}
        with contextlib.suppress(OSError, ValueError), open(STAMPS, encoding="utf-8") as file:
            found = json.load(file)
            stamps = found if isinstance(found, dict) else {}
        stamps[path] = {"seen": [status.st_size, status.st_mtime_ns, status.st_ino], "sha256": sha256}
        with open(STAMPS + ".new", "w", encoding="utf-8") as file:
            json.dump(stamps, file)
        os.replace(STAMPS + ".new", STAMPS)


def import_image(path: str, unless_known: str = "") -> tuple[subprocess.Popen[bytes], IO[bytes]]:
    """Hand an archive to containerd as soon as that runs, unless it knows that image; the caller waits.

    With it a file of what is said on the way: not a pipe, which would end with us, and in memory, for the disk may be
    full.
    """
    said = os.fdopen(os.memfd_create("said"), "w+b")
    at_work = os.path.exists(KUBELET_CONF)
    turn = ["flock", "-w", str(TURN_SECONDS), "-E", str(NO_TURN), TURN] if at_work else []
    command = [*turn, "sh", "-c", sys.argv[1], "import", *images_in(path)]
    given = {"HAPLANE_ARCHIVE": path, "HAPLANE_IMAGE": unless_known, "HAPLANE_PACKED": "yes" if at_work else ""}
    environment = {**os.environ, **given}
    null = subprocess.DEVNULL
    return subprocess.Popen(command, stdin=null, stdout=null, stderr=said, env=environment), said


def images_in(archive: str) -> list[str]:
    """Their names; none where the archive cannot be read, which containerd explains."""
    unreadable = (OSError, tarfile.TarError, ValueError, LookupError, TypeError)
    with contextlib.suppress(*unreadable), tarfile.open(archive) as tar:
        index = tar.extractfile("index.json")
        manifests = json.load(index)["manifests"] if index is not None else []
        return [str(one["annotations"]["io.containerd.image.name"]) for one in manifests]
    return []


main()
