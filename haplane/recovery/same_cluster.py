"""Whether data belongs to the cluster that runs: by the CA that its pods trust, and by its UID."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from haplane.config.model import Inventory
from haplane.domain import host_paths
from haplane.domain.observed import Observation
from haplane.errors import HaplaneError, Refused
from haplane.executor import Executor
from haplane.pki.ca import certificate_fingerprint
from haplane.pki.cluster_identity import ClusterIdentity
from haplane.recovery.database import Database

READ_UID = (
    "kubectl", "--kubeconfig", host_paths.ADMIN_KUBECONFIG, "--request-timeout=5s",
    "get", "namespace", "kube-system", "--output=jsonpath={.metadata.uid}",
)  # fmt: skip
UID_SECONDS = 15


@dataclass(frozen=True)
class ClusterMark:
    """What tells one cluster from another: its CA certificate in PEM, and its UID. None where it is not known."""

    ca: bytes | None
    uid: str | None


def read_cluster_mark(inventory: Inventory, executor: Executor) -> ClusterMark:
    """As the first master has both; only a CA while no API server responds, nothing while no master does."""
    ca = None
    for master in inventory.masters:
        try:
            ca = executor.run(master, "cat", host_paths.KUBERNETES_CA_CRT)
            uid = executor.run(master, *READ_UID, deadline_seconds=UID_SECONDS)
        except HaplaneError:
            continue
        return ClusterMark(ca, uid.decode(errors="replace").strip() or None)
    return ClusterMark(ca, None)


def reported_mark(observation: Observation, masters: Sequence[str]) -> ClusterMark:
    """As most masters report the CA, and a majority of API servers the UID."""
    held = Counter(one.certificates.get(host_paths.KUBERNETES_CA_CRT, "") for one in observation.of(masters))
    del held[""]
    ca = next((pem for pem, _ in held.most_common(1)), None)
    kubernetes = observation.kubernetes()
    return ClusterMark(ca.encode() if ca else None, kubernetes.uid if kubernetes else None)


def refuse_other_cluster(name: str, database: Database, identity: ClusterIdentity | None, mark: ClusterMark) -> None:
    """Raises Refused when the data is another cluster's than ``mark``.

    ``identity``: the keys that come with the data. They stand in for a CA that is not known.
    """
    sealed = identity.kubernetes.certificate if identity else None
    ours, theirs = mark.ca or sealed, database.ca or sealed
    if ours and theirs and certificate_fingerprint(ours) != certificate_fingerprint(theirs):
        raise _other(name, "its pods trust another CA than this cluster's")
    if mark.uid and mark.uid != database.uid:
        raise _other(name, f"its UID is {database.uid}, this cluster's is {mark.uid}")


def _other(name: str, why: str) -> Refused:
    return Refused(
        "this is a snapshot of another cluster; nothing was changed",
        where=name,
        why=why,
        next_step="give a snapshot of this cluster",
    )
