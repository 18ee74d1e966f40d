"""Where keys and certificates live on hosts: kubeadm's places, and haplane's own."""

from __future__ import annotations

KUBERNETES_PKI = "/etc/kubernetes/pki"
KUBERNETES_AUTHORITY = f"{KUBERNETES_PKI}/ca"
FRONT_PROXY_AUTHORITY = f"{KUBERNETES_PKI}/front-proxy-ca"
ETCD_AUTHORITY = f"{KUBERNETES_PKI}/etcd/ca"
SERVICE_ACCOUNT = f"{KUBERNETES_PKI}/sa"
APISERVER_ETCD_CLIENT = f"{KUBERNETES_PKI}/apiserver-etcd-client"

HAPLANE = "/etc/kubernetes/haplane"
ENCRYPTION = f"{HAPLANE}/encryption.yaml"
SIGNING = f"{HAPLANE}/signing"

ETCD_PKI = "/etc/etcd/pki"
ETCD_MEMBER_AUTHORITY = f"{ETCD_PKI}/ca.crt"
ETCD_SERVER = f"{ETCD_PKI}/server"
ETCD_PEER = f"{ETCD_PKI}/peer"
ETCD_HEALTHCHECK_CLIENT = f"{ETCD_PKI}/healthcheck-client"
ETCD_HAPROXY_CLIENT = f"{ETCD_PKI}/haproxy.pem"  # haproxy wants the certificate and its key in one file

MEMBER_SIGNING = "/etc/haplane/signing.key"  # the private half of SIGNING, where snapshots are signed


def is_private(path: str) -> bool:
    """Whether the file at ``path`` holds a secret and must be root's alone (0600); the others may be read (0644)."""
    return path.endswith(".key") or path in (ENCRYPTION, ETCD_HAPROXY_CLIENT)
