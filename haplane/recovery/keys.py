"""A cluster's keys from elsewhere than its masters: a copied directory, or the sealed keys of a snapshot."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from haplane.archives import members, opened
from haplane.domain import host_paths
from haplane.domain.plan import few
from haplane.errors import BadInput, Refused
from haplane.pki.cluster_identity import IDENTITY_PATHS, ClusterIdentity

MOST_BYTES = 1 << 20
"""No key or certificate is larger."""


def identity_from_directory(directory: Path) -> ClusterIdentity:
    """The identity in a copy of a master's /etc/kubernetes, or of a tree that holds it at etc/kubernetes.

    Raises BadInput when files of it are absent, Refused when they are damaged.
    """
    roots = (directory / "etc" / "kubernetes", directory)
    root = next((root for root in roots if (root / "pki").is_dir()), directory)
    found = {}
    for path in IDENTITY_PATHS:
        file = root / Path(path).relative_to(host_paths.KUBERNETES)
        if file.is_file() and file.stat().st_size <= MOST_BYTES:
            found[path] = file.read_bytes()
    if absent := [path for path in IDENTITY_PATHS if path not in found]:
        raise BadInput(
            "this directory does not hold all keys of a cluster",
            where=str(directory),
            why=f"missing: {few(absent)}",
            next_step="give a copy of a master's /etc/kubernetes, with its directories pki and haplane",
        )
    return ClusterIdentity.from_files(found)


def identity_from_sealed(archive: bytes, source: str) -> ClusterIdentity:
    """The identity in the decrypted archive of a snapshot's keys. Raises Refused when it does not hold one."""
    found: dict[str, bytes] = {}
    try:
        with opened(io.BytesIO(archive)) as tar:
            for member in members(tar, most=len(archive)):
                path = "/" + member.name.lstrip("./")
                content = tar.extractfile(member) if path in IDENTITY_PATHS and member.isreg() else None
                if content is not None and member.size <= MOST_BYTES:
                    found[path] = content.read()
    except (tarfile.TarError, EOFError, OSError) as error:
        raise Refused("the sealed keys are damaged", where=source, why=str(error)) from None
    return ClusterIdentity.from_files(found)
