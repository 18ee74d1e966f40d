"""etcd's leaf certificates. They are haplane's to issue and renew: with an external etcd kubeadm does neither.

A machine that is only an etcd member gets etcd's authority certificate and these leaves, never a Kubernetes key.
"""

from __future__ import annotations

from datetime import datetime
from ipaddress import IPv4Address

from haplane.pki import paths
from haplane.pki.certificates import CertificateFacts
from haplane.pki.cluster_identity import ClusterIdentity, key_pair_files
from haplane.pki.leaf import Usage, issue

BOTH = (Usage.SERVER, Usage.CLIENT)  # a member dials its peers, and its own gRPC gateway, with its server leaf
LOOPBACK = IPv4Address("127.0.0.1")
RENEW_DAYS = 90  # a year's leaf is replaced by the first `up` in its last quarter


def etcd_server_files(
    identity: ClusterIdentity, host_name: str, address: IPv4Address, now: datetime
) -> dict[str, bytes]:
    """A member's own files under ``/etc/etcd/pki``: ``ca.crt``, ``server`` and ``peer`` certificates and keys."""
    files = {paths.ETCD_MEMBER_AUTHORITY: identity.etcd.certificate}
    for stem in (paths.ETCD_SERVER, paths.ETCD_PEER):
        leaf = issue(
            identity.etcd,
            host_name,
            dns_names=(host_name, "localhost"),
            addresses=(LOOPBACK, address),
            usages=BOTH,
            now=now,
        )
        files |= key_pair_files(stem, leaf)
    return files


def healthcheck_client_files(identity: ClusterIdentity, now: datetime) -> dict[str, bytes]:
    """The client leaf of etcdctl on members, with etcd's authority beside it."""
    leaf = issue(identity.etcd, "etcd-healthcheck-client", usages=(Usage.CLIENT,), now=now)
    return {
        paths.ETCD_MEMBER_AUTHORITY: identity.etcd.certificate,
        **key_pair_files(paths.ETCD_HEALTHCHECK_CLIENT, leaf),
    }


def apiserver_client_files(identity: ClusterIdentity, now: datetime) -> dict[str, bytes]:
    """kube-apiserver's client leaf, on masters, where kubeadm looks for it."""
    leaf = issue(identity.etcd, "kube-apiserver-etcd-client", usages=(Usage.CLIENT,), now=now)
    return key_pair_files(paths.APISERVER_ETCD_CLIENT, leaf)


def reason_to_reissue(
    leaf: CertificateFacts, authority: CertificateFacts, *, names: frozenset[str], now: datetime
) -> str | None:
    """Why a host's leaf must be replaced, or None while it serves. ``names`` are DNS names and addresses as text."""
    if not leaf.issued_by(authority):
        return f"it was not issued by {authority.subject}"
    if missing := leaf.missing_names(names):
        return f"it does not name {', '.join(sorted(missing))}"
    if leaf.days_left(now) < RENEW_DAYS:
        return f"it expires in {leaf.days_left(now):.0f} days"
    return None
