"""Certificates that have expired already, in place of those that a node has."""

import base64
import re
import subprocess
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address

from haplane.desired.files import certificate_names
from haplane.desired.keys import KUBEADM_CERTIFICATES
from haplane.domain import host_paths
from haplane.domain.files import ETCD_USER, Part, WantedFile
from haplane.operations import files
from haplane.pki.cluster_identity import IDENTITY_PATHS, ClusterIdentity
from haplane.pki.issue import Usage, issue
from haplane.pki.kubelet_certificates import NODES, user_of
from haplane.remote.openssh import read_files, ssh_command
from haplane.scripts import script

BOTH, SERVER, CLIENT = (Usage.SERVER, Usage.CLIENT), (Usage.SERVER,), (Usage.CLIENT,)
LOOPBACK = IPv4Address("127.0.0.1")
MINUTE = 1 / 1440
OLD_CLIENT = f"{host_paths.KUBELET_PKI}/kubelet-client-2025-01-01-00-00-00.pem"
KUBECONFIGS = {
    "admin.conf": ("kubernetes-admin", ("kubeadm:cluster-admins",)),
    "controller-manager.conf": ("system:kube-controller-manager", ()),
    "scheduler.conf": ("system:kube-scheduler", ()),
}


def identity_of(inventory):
    """The CAs, as a master holds them."""
    return ClusterIdentity.from_files(read_files(inventory.masters[0], IDENTITY_PATHS))


def expired(authority, name, usages, **more):
    """Valid for a minute, some minutes ago."""
    return issue(authority, name, usages=usages, now=datetime.now(UTC) - timedelta(minutes=3), days=MINUTE, **more)


def of_member(identity, host):
    """An etcd member's, by path without its ending."""
    names = {"dns_names": (host.name, "localhost"), "addresses": (LOOPBACK, host.address)}
    return {
        host_paths.ETCD_SERVER_STEM: expired(identity.etcd, host.name, BOTH, **names),
        host_paths.ETCD_PEER_STEM: expired(identity.etcd, host.name, BOTH, **names),
        host_paths.ETCD_HEALTHCHECK_CLIENT_STEM: expired(identity.etcd, "etcd-healthcheck-client", CLIENT),
    }


def of_control_plane(inventory, identity, host):
    """An API server's, by path without its ending."""
    spoken_for = [IPv4Address(one) for one in certificate_names(inventory) if one[0].isdigit()]
    own = {"dns_names": (host.name, "localhost", "kubernetes"), "addresses": (*spoken_for, host.address)}
    return {
        host_paths.APISERVER_ETCD_CLIENT_STEM: expired(identity.etcd, "kube-apiserver-etcd-client", CLIENT),
        f"{host_paths.KUBERNETES_PKI}/apiserver": expired(identity.kubernetes, "kube-apiserver", SERVER, **own),
        f"{host_paths.KUBERNETES_PKI}/apiserver-kubelet-client": expired(
            identity.kubernetes, "kube-apiserver-kubelet-client", CLIENT, organizations=("kubeadm:cluster-admins",)
        ),
        f"{host_paths.KUBERNETES_PKI}/front-proxy-client": expired(
            identity.front_proxy, "front-proxy-client", CLIENT
        ),
    }


def kubeconfigs(identity, host):
    """A master's, by path, with other certificates in them."""
    found = {}
    for name, (user, groups) in KUBECONFIGS.items():
        path = KUBEADM_CERTIFICATES[name]
        pair = expired(identity.kubernetes, user, CLIENT, organizations=groups)
        text = read_files(host, [path])[path].decode()
        for field, pem in (("client-certificate-data", pair.certificate), ("client-key-data", pair.private_key)):
            text = re.sub(rf"{field}: .*", f"{field}: {base64.b64encode(pem).decode()}", text)
        found[path] = text.encode()
    return found


def expire_member(inventory, host):
    """Have only its etcd's end."""
    _place(host, _pairs(of_member(identity_of(inventory), host)))


def expire_kubelet(inventory, host):
    """Have only its kubelet's end."""
    _place(host, _client(identity_of(inventory), host))


def expire(inventory, host):
    """Have every one that a host has end; who reads them knows with its next start."""
    identity = identity_of(inventory)
    found = _client(identity, host) if host in inventory.nodes else {}
    if host in inventory.masters:
        found |= _pairs(of_control_plane(inventory, identity, host)) | kubeconfigs(identity, host)
    if host in inventory.etcd:
        found |= _pairs(of_member(identity, host))
    _place(host, found)


def _client(identity, host):
    pair = expired(identity.kubernetes, user_of(host.name), CLIENT, organizations=(NODES,))
    return {OLD_CLIENT: pair.certificate + pair.private_key}


def _pairs(made):
    certificates = {f"{stem}.crt": pair.certificate for stem, pair in made.items()}
    return certificates | {f"{stem}.key": pair.private_key for stem, pair in made.items()}


def _place(host, contents):
    placed = [
        WantedFile(
            path,
            content,
            Part.HOST,
            0o644 if path.endswith(".crt") else 0o600,
            owner=ETCD_USER if path in host_paths.ETCD_OWN_KEYS else "root",
        )
        for path, content in contents.items()
    ]
    text = script("place_files", **files.needs(placed))
    if OLD_CLIENT in contents:
        text += f"ln -sfn {OLD_CLIENT} {host_paths.KUBELET_CLIENT_PEM}\n"
    command = ssh_command(host, "sh", "-c", text)
    subprocess.run(command, input=base64.b64encode(files.archive(placed)), check=True)
