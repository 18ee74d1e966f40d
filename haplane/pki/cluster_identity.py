"""Everything secret that makes a cluster this cluster: made once before any host is touched, held by every master.

A surviving master's files are enough to rebuild it (:meth:`ClusterIdentity.from_files`); nothing is kept elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from haplane.domain import host_paths
from haplane.errors import Refused
from haplane.pki.ca import KeyPair, is_ca, new_ca, parse_certificate
from haplane.pki.encryption import EncryptionKey, parse_encryption, render_encryption
from haplane.pki.keys import SigningPair, new_elliptic_key


@dataclass(frozen=True)
class ClusterIdentity:
    """The CAs, the service-account and snapshot-signing pairs, and the encryption-at-rest keys.

    ``encryption_keys`` holds the key that writes first, then those that only read. No secret is in its ``repr``.
    """

    kubernetes: KeyPair
    front_proxy: KeyPair
    etcd: KeyPair
    service_account: SigningPair
    signing: SigningPair
    encryption_keys: tuple[EncryptionKey, ...]

    @classmethod
    def generate(cls, cluster_name: str, now: datetime) -> ClusterIdentity:
        """A new identity; its CAs carry kubeadm's common names and the cluster's name as organization."""
        return cls(
            kubernetes=new_ca("kubernetes", organization=cluster_name, now=now),
            front_proxy=new_ca("front-proxy-ca", organization=cluster_name, now=now),
            etcd=new_ca("etcd-ca", organization=cluster_name, now=now),
            service_account=SigningPair.generate(new_elliptic_key()),
            signing=SigningPair.generate(Ed25519PrivateKey.generate()),
            encryption_keys=(EncryptionKey.generate(),),
        )

    def to_files(self) -> dict[str, bytes]:
        """Content by absolute path on a master; ``host_paths.is_private`` tells which must be 0600."""
        return {
            **key_pair_files(host_paths.KUBERNETES_CA_STEM, self.kubernetes),
            **key_pair_files(host_paths.FRONT_PROXY_CA_STEM, self.front_proxy),
            **key_pair_files(host_paths.ETCD_CA_STEM, self.etcd),
            **_signing_files(host_paths.SERVICE_ACCOUNT_STEM, self.service_account),
            **_signing_files(host_paths.SIGNING_STEM, self.signing),
            host_paths.ENCRYPTION_YAML: render_encryption(self.encryption_keys),
        }

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> ClusterIdentity:
        """The identity a master's files hold; other paths in ``files`` are ignored.

        Raises Refused naming the files that are absent, damaged, or whose keys are not those of their certificates.
        """
        if absent := [path for path in IDENTITY_PATHS if path not in files]:
            raise Refused(
                "the cluster's identity is not complete",
                where=", ".join(absent),
                why="absent on the master it was read from",
                next_step="read it from a master that has them all, or restore a snapshot with `haplane restore`",
            )
        return cls(
            kubernetes=_ca(files, host_paths.KUBERNETES_CA_STEM),
            front_proxy=_ca(files, host_paths.FRONT_PROXY_CA_STEM),
            etcd=_ca(files, host_paths.ETCD_CA_STEM),
            service_account=_signing_pair(files, host_paths.SERVICE_ACCOUNT_STEM),
            signing=_signing_pair(files, host_paths.SIGNING_STEM),
            encryption_keys=parse_encryption(files[host_paths.ENCRYPTION_YAML], host_paths.ENCRYPTION_YAML),
        )


IDENTITY_PATHS = (
    *(
        f"{stem}.crt"
        for stem in (host_paths.KUBERNETES_CA_STEM, host_paths.FRONT_PROXY_CA_STEM, host_paths.ETCD_CA_STEM)
    ),
    *(
        f"{stem}.key"
        for stem in (host_paths.KUBERNETES_CA_STEM, host_paths.FRONT_PROXY_CA_STEM, host_paths.ETCD_CA_STEM)
    ),
    *(
        f"{stem}.{half}"
        for stem in (host_paths.SERVICE_ACCOUNT_STEM, host_paths.SIGNING_STEM)
        for half in ("key", "pub")
    ),
    host_paths.ENCRYPTION_YAML,
)
"""Every file of :meth:`ClusterIdentity.to_files`: what has to be read from a master to rebuild the identity."""


def key_pair_files(stem: str, pair: KeyPair) -> dict[str, bytes]:
    """A certificate and its key as ``STEM.crt`` and ``STEM.key``."""
    return {f"{stem}.crt": pair.certificate, f"{stem}.key": pair.private_key}


def _signing_files(stem: str, pair: SigningPair) -> dict[str, bytes]:
    return {f"{stem}.pub": pair.public_key, f"{stem}.key": pair.private_key}


def _ca(files: Mapping[str, bytes], stem: str) -> KeyPair:
    pair = KeyPair(files[f"{stem}.crt"], files[f"{stem}.key"])
    _refuse(pair.disagreement(stem))
    if not is_ca(parse_certificate(pair.certificate, f"{stem}.crt")):
        _refuse(f"{stem}.crt is not a CA's certificate")
    return pair


def _signing_pair(files: Mapping[str, bytes], stem: str) -> SigningPair:
    pair = SigningPair(files[f"{stem}.pub"], files[f"{stem}.key"])
    _refuse(pair.disagreement(stem))
    return pair


def _refuse(disagreement: str | None) -> None:
    if disagreement is not None:
        raise Refused(
            "the cluster's keys disagree",
            why=disagreement,
            next_step="compare these files with another master's before anything is changed",
        )
