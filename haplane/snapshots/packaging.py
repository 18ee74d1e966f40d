"""The agent as one archive: haplane's own modules that it needs, and boto3 with what that needs, cut down to S3.

Unpacked on a host as ``/opt/haplane/agent-DIGEST/`` (then ``python3 -m compileall -q`` on it: the unit may not write
there), with ``/opt/haplane/agent`` a symbolic link to it that is switched by rename. The version before stays until
the next switch: a run that is under way goes on in the directory it started from.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import haplane
from haplane.errors import HaplaneError

ROOT = "/opt/haplane"
LINK = f"{ROOT}/agent"
RUN = f"{LINK}/run"

OWN = (
    "__init__.py",
    "errors.py",
    "domain/__init__.py",
    "domain/retention.py",
    "domain/slots.py",
    *(
        f"snapshots/{name}.py"
        for name in (
            *("__init__", "agent", "alarm", "budget", "etcd", "local", "manifest", "payload", "pipeline"),
            *("processes", "s3", "settings", "state", "store", "unfinished"),
        )
    ),
)
LIBRARIES = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3")
DATA = {
    "botocore": (
        *("cacert.pem", "data/_retry.json", "data/endpoints.json", "data/partitions.json"),
        *("data/sdk-default-configuration.json", "data/s3/**/*", "data/sts/**/*"),
    ),
}
"""Files of the libraries that are not Python, by pattern; botocore has 30 MB of other services."""

START = b"""#!/usr/bin/python3 -Es
import os
import sys

if sys.version_info < (3, 11):
    sys.exit('{"error": "snapshots need Python 3.11 on this host", "exit_code": 4}')
# The directory itself, not the link to it: a newer agent may take the link while this one runs.
sys.path[0] = os.path.dirname(os.path.realpath(__file__))

from haplane.snapshots.agent import main

status = main(sys.argv[1:])
os._exit(status)  # a thread that hangs in a dead connection holds nobody up
"""


@dataclass(frozen=True)
class AgentArchive:
    """``content`` is a .tar.gz; ``digest`` names what is in it: the same for the same modules, whoever packs them."""

    digest: str
    content: bytes = field(repr=False)

    @property
    def directory(self) -> str:
        """Where it belongs on a host."""
        return f"{ROOT}/agent-{self.digest}"


def agent_archive() -> AgentArchive:
    """Pack the agent from this checkout or wheel and its environment. Raises HaplaneError when boto3 is not whole."""
    files = {"run": START, **{name: path.read_bytes() for name, path in sorted(_files())}}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755 if name == "run" else 0o644
            archive.addfile(member, io.BytesIO(content))
    plain = packed.getvalue()
    return AgentArchive(hashlib.sha256(plain).hexdigest()[:16], gzip.compress(plain, compresslevel=6, mtime=0))


def _files() -> Iterator[tuple[str, Path]]:
    """Name in the archive and where its content lies."""
    own = Path(haplane.__file__).parent
    yield from ((f"haplane/{name}", own / name) for name in OWN)
    for library in LIBRARIES:
        place = _place(library)
        if place.is_file():
            yield place.name, place
            continue
        patterns = ("**/*.py", *DATA.get(library, ()))
        found = (path for pattern in patterns for path in place.glob(pattern) if path.is_file())
        yield from ((f"{library}/{path.relative_to(place)}", path) for path in found)


def _place(library: str) -> Path:
    found = importlib.util.find_spec(library)
    if found is None or found.origin is None:
        raise HaplaneError(
            f"the Python package {library} is not installed beside haplane",
            why="the snapshot agent is packed from it",
            next_step="install haplane again with its dependencies",
        )
    origin = Path(found.origin)
    return origin.parent if origin.name == "__init__.py" else origin
