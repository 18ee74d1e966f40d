"""The agent as one archive: haplane's own modules that it needs, and boto3 with what that needs, cut down to S3.

Unpacked on a host as ``/opt/haplane/agent-DIGEST/`` and compiled there (the unit may not write there). The link
``/opt/haplane/agent`` to it is switched by rename. The previous version stays until the next switch, for a run that
is under way.
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
from haplane.domain import host_paths
from haplane.errors import HaplaneError

START = Path(haplane.__file__).parent / "agent/start.py"
"""Becomes ``run`` beside the packages."""
BESIDE_THE_AGENT = ("__init__", "errors", "domain/__init__", "domain/history", "domain/retention", "domain/slots")
"""Of haplane itself, what the package ``haplane.agent`` imports; a contract in pyproject.toml holds it to these."""
LIBRARIES = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3")
DATA = {
    "botocore": (
        *("cacert.pem", "data/_retry.json", "data/endpoints.json", "data/partitions.json"),
        *("data/sdk-default-configuration.json", "data/s3/**/*", "data/sts/**/*"),
    ),
}
"""Data files of the libraries that are packed, by pattern; botocore has 30 MB of other services."""


@dataclass(frozen=True)
class AgentArchive:
    """``content`` is a .tar.gz; ``digest`` is of the modules in it, wherever they were packed."""

    digest: str
    content: bytes = field(repr=False)

    @property
    def directory(self) -> str:
        """The directory on a host."""
        return f"{host_paths.AGENT_ROOT}/agent-{self.digest}"


def agent_archive() -> AgentArchive:
    """Pack the agent from this installation and its environment. Raises HaplaneError when a library is missing."""
    files = {"run": START.read_bytes(), **{name: path.read_bytes() for name, path in sorted(_files())}}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755 if name == "run" else 0o644
            archive.addfile(member, io.BytesIO(content))
    plain = packed.getvalue()
    return AgentArchive(hashlib.sha256(plain).hexdigest()[:16], gzip.compress(plain, compresslevel=6, mtime=0))


def _files() -> Iterator[tuple[str, Path]]:
    """Each name in the archive, and the file with its content."""
    own = Path(haplane.__file__).parent
    modules = [own / f"{name}.py" for name in BESIDE_THE_AGENT] + sorted((own / "agent").glob("*.py"))
    yield from ((f"haplane/{path.relative_to(own)}", path) for path in modules)
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
