"""etcd's certificates. They are haplane's to issue and renew: with an external etcd kubeadm does neither.

A machine that is only an etcd member gets etcd's CA certificate and these certificates, never a Kubernetes key.
"""

from __future__ import annotations

from datetime import datetime
from ipaddress import IPv4Address

from haplane.domain import host_paths
from haplane.pki.certificates import CertificateFacts
from haplane.pki.cluster_identity import ClusterIdentity, key_pair_files
from haplane.pki.issue import Usage, issue

BOTH = (Usage.SERVER, Usage.CLIENT)  # a member dials its peers, and its own gRPC gateway, with its server certificate
LOOPBACK = IPv4Address("127.0.0.1")
RENEW_DAYS = 90  # a year's certificate is replaced by the first `up` in its last quarter


def etcd_server_files(
    identity: ClusterIdentity, host_name: str, address: IPv4Address, now: datetime
) -> dict[str, bytes]:
    """A member's own files under ``/etc/etcd/pki``: ``ca.crt``, ``server`` and ``peer`` certificates and keys."""
    files = {host_paths.ETCD_MEMBER_CA_CRT: identity.etcd.certificate}
    for stem in (host_paths.ETCD_SERVER_STEM, host_paths.ETCD_PEER_STEM):
        certificate = issue(
            identity.etcd,
            host_name,
            dns_names=(host_name, "localhost"),
            addresses=(LOOPBACK, address),
            usages=BOTH,
            now=now,
        )
        files |= key_pair_files(stem, certificate)
    return files


def healthcheck_client_files(identity: ClusterIdentity, now: datetime) -> dict[str, bytes]:
    """The client certificate of etcdctl on members, with etcd's CA beside it."""
    certificate = issue(identity.etcd, "etcd-healthcheck-client", usages=(Usage.CLIENT,), now=now)
    return {
        host_paths.ETCD_MEMBER_CA_CRT: identity.etcd.certificate,
        **key_pair_files(host_paths.ETCD_HEALTHCHECK_CLIENT_STEM, certificate),
    }


def apiserver_client_files(identity: ClusterIdentity, now: datetime) -> dict[str, bytes]:
    """kube-apiserver's client certificate, on masters, where kubeadm looks for it."""
    certificate = issue(identity.etcd, "kube-apiserver-etcd-client", usages=(Usage.CLIENT,), now=now)
    return key_pair_files(host_paths.APISERVER_ETCD_CLIENT_STEM, certificate)


def reason_to_reissue(
    certificate: CertificateFacts, ca: CertificateFacts, *, names: frozenset[str], now: datetime
) -> str | None:
    """Why a host's certificate must be replaced, or None. ``names`` are DNS names and addresses as text.

    One that ends with its CA is as good as any that the CA could issue.
    """
    if flaw := certificate.flaw(ca, now, names):
        return flaw
    if certificate.not_after <= now:
        return "it has expired"
    if certificate.days_left(now) < RENEW_DAYS and certificate.not_after < ca.not_after:
        return f"it expires in {certificate.days_left(now):.0f} days"
    return None
