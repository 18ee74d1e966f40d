"""Runs on a host, with nothing but Python's standard library: takes a tar stream of files, each final by itself.

Every member is written under a temporary name beside its place, unpacked if it is compressed, stamped, and only then
renamed: a stream that is cut leaves whole files and nothing else. Nothing is forced to disk, which would double the
time of a bootstrap: content that a power cut takes away no longer fits its stamp, and is hashed and sent again. Image
archives are handed to containerd as soon as they are complete, while the next one arrives.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
import tarfile
from typing import IO

STAMPS = "/var/lib/haplane/stamps.json"
IMAGE_DIRECTORY = "/var/lib/haplane/images/"
IMPORT_SECONDS = 300
IMPORT = """
known() { ctr -n k8s.io images list -q | grep -qxF -- "$2"; }
import() { known "$@" || env -u HAPLANE_RUN ctr -n k8s.io images import --local "$1"; }
until test -S /run/containerd/containerd.sock && import "$@"; do sleep 0.3; done
"""
"""Archives arrive while containerd is still to be started.

An import that has begun outlives its run (hold.py kills what has the mark): containerd lists an image before that is
unpacked, so nobody would complete it, and the first container of it would wait for that.
"""


def main() -> None:
    """Take the stream on standard input; exit with a sentence when something of it did not arrive."""
    os.umask(0o022)
    os.makedirs(os.path.dirname(STAMPS), exist_ok=True)
    imports = []
    with tarfile.open(fileobj=sys.stdin.buffer, mode="r|", bufsize=1 << 20) as members:
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
    failed = []
    for path, process, said in imports:
        if process.wait() != 0:
            said.seek(0)
            failed.append(" ".join((path, *said.read().decode(errors="replace").splitlines()[-1:])))
    if failed:
        sys.exit("containerd did not import " + ", ".join(failed))


def receive(source: IO[bytes], path: str, member: tarfile.TarInfo) -> None:
    """Put one member in its place, whole or not at all."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    temporary = path + ".haplane-new"
    try:
        with open(temporary, "wb") as target:
            if member.pax_headers.get("HAPLANE.compression") == "zstd":
                unpack(source, target, path)
            else:
                shutil.copyfileobj(source, target, 1 << 20)
        os.chmod(temporary, member.mode)
        stamp(path, temporary, member.pax_headers["HAPLANE.sha256"])
        refuse_without_lock()
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def refuse_without_lock() -> None:
    """A run that lost its lock lost its shell (hold.py): nothing of it takes its place any more."""
    shell = os.environ.get("HAPLANE_RUN")
    if shell is not None and not os.path.exists(shell):
        sys.exit("the run no longer holds the lock on this host")


def unpack(source: IO[bytes], target: IO[bytes], path: str) -> None:
    """Decompress; zstd checks the content by its own checksum."""
    zstd = subprocess.Popen(["zstd", "-dcq"], stdin=subprocess.PIPE, stdout=target, stderr=subprocess.PIPE)
    with contextlib.suppress(BrokenPipeError):  # it gave up, and says why
        if zstd.stdin is not None:
            shutil.copyfileobj(source, zstd.stdin, 1 << 20)
    _, complaint = zstd.communicate()
    if zstd.returncode != 0:
        sys.exit("zstd cannot unpack " + path + ": " + complaint.decode(errors="replace").strip())


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
    command = ["timeout", str(IMPORT_SECONDS), "sh", "-c", IMPORT, "sh", path, unless_known]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said), said


main()
