"""Whether data belongs to the cluster that runs: by the CA that its pods trust, and by its UID."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from haplane.config.model import Host, Inventory
from haplane.domain import host_paths
from haplane.domain.observed import Observation
from haplane.domain.quorum import majority
from haplane.errors import HaplaneError, Refused
from haplane.executor import Executor
from haplane.pki.ca import certificate_fingerprint
from haplane.pki.cluster_identity import ClusterIdentity
from haplane.recovery.database import Database
from haplane.threads import Threads

READ_UID = (
    "kubectl", "--kubeconfig", host_paths.ADMIN_KUBECONFIG, "--request-timeout=5s",
    "get", "namespace", "kube-system", "--output=jsonpath={.metadata.uid}",
)  # fmt: skip
UID_SECONDS = 15


@dataclass(frozen=True)
class ClusterMark:
    """What tells one cluster from another: its CA certificate in PEM, and its UID. None where it is not known.

    Either is what more than half of all masters of the inventory report, ``holders`` those that have the CA.
    """

    ca: bytes | None
    uid: str | None
    holders: tuple[str, ...] = ()


def read_cluster_mark(inventory: Inventory, executor: Executor) -> ClusterMark:
    """As masters have both now: only a CA while too few API servers respond, nothing while too few masters do."""

    def read(master: Host, *command: str, seconds: float) -> bytes:
        try:
            return executor.run(master, *command, deadline_seconds=seconds)
        except HaplaneError:
            return b""

    def ask(master: Host) -> tuple[bytes, str]:
        ca = read(master, "cat", host_paths.KUBERNETES_CA_CRT, seconds=UID_SECONDS)
        uid = read(master, *READ_UID, seconds=UID_SECONDS) if ca else b""
        return ca, uid.decode(errors="replace").strip()

    with Threads(len(inventory.masters)) as pool:
        found = list(pool.map(ask, inventory.masters))
    names = [master.name for master in inventory.masters]
    return _mark({name: ca for name, (ca, _) in zip(names, found, strict=True)}, [uid for _, uid in found])


def reported_mark(observation: Observation, masters: Sequence[str]) -> ClusterMark:
    """As these masters of the inventory reported both."""
    reports = {name: observation.reports[name] for name in masters if name in observation.reports}
    held = {name: one.certificates.get(host_paths.KUBERNETES_CA_CRT, "").encode() for name, one in reports.items()}
    uids = [one.kubernetes.uid or "" for one in reports.values() if one.kubernetes is not None]
    return _mark({name: held.get(name, b"") for name in masters}, uids)


def _mark(held: Mapping[str, bytes], uids: Sequence[str]) -> ClusterMark:
    """``held``: by every master of the inventory, its CA, empty where it is not known, as UIDs are."""
    needed = majority(len(held))
    ca = next((pem for pem, votes in Counter(held.values()).most_common() if pem and votes >= needed), None)
    uid = next((uid for uid, votes in Counter(uids).most_common() if uid and votes >= needed), None)
    return ClusterMark(ca, uid, tuple(name for name, pem in held.items() if ca and pem == ca))


def refuse_other_cluster(name: str, database: Database, identity: ClusterIdentity | None, mark: ClusterMark) -> None:
    """Raises Refused when the data is another cluster's than ``mark``.

    ``identity``: the keys that come with the data. They stand in for a CA that is not known.
    """
    sealed = identity.kubernetes.certificate if identity else None
    ours, theirs = mark.ca or sealed, database.ca or sealed
    if ours and theirs and certificate_fingerprint(ours) != certificate_fingerprint(theirs):
        where = f"{name}; this cluster's CA is that of {', '.join(mark.holders)}" if mark.holders else name
        raise _other(where, "its pods trust another CA than this cluster's")
    if mark.uid and mark.uid != database.uid:
        raise _other(name, f"its UID is {database.uid}, this cluster's is {mark.uid}")


def _other(name: str, why: str) -> Refused:
    return Refused(
        "this is a snapshot of another cluster; nothing was changed",
        where=name,
        why=why,
        next_step="give a snapshot of this cluster",
    )
