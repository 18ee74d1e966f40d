"""A cluster in memory that is checked: what its hosts report to `verify` follows from the cluster and from templates.

The flags that kubeadm gives by itself are written here, as kubeadm 1.35 has them in cmd/kubeadm/app/phases.
"""

import base64
import json
import re
import shlex
from datetime import UTC, datetime
from ipaddress import IPv4Address

import samples
import yaml
from fake_cluster import FakeCluster, converged

from haplane.desired import files
from haplane.desired.audit import audit_policy
from haplane.domain import host_paths
from haplane.pki.certificates import CertificateFacts
from haplane.pki.cluster_identity import ClusterIdentity
from haplane.pki.etcd_certificates import apiserver_client_files, etcd_server_files, healthcheck_client_files
from haplane.pki.issue import Usage, issue
from haplane.pki.kubelet_certificates import kubelet_client, kubelet_serving_files
from haplane.streams import Completed

PKI, NEVER = host_paths.KUBERNETES_PKI, {"status": None, "served": None, "error": None}
REFUSED = NEVER | {"refused": True}
BY_KUBEADM = {
    "apiServer": (
        "kube-apiserver",
        "--authorization-mode=Node,RBAC",
        f"--client-ca-file={host_paths.KUBERNETES_CA_CRT}",
        f"--etcd-cafile={host_paths.ETCD_CA_CRT}",
        f"--etcd-certfile={host_paths.APISERVER_ETCD_CLIENT_CRT}",
        f"--etcd-keyfile={host_paths.APISERVER_ETCD_CLIENT_STEM}.key",
        f"--kubelet-client-certificate={host_paths.APISERVER_KUBELET_CLIENT_CRT}",
        f"--kubelet-client-key={PKI}/apiserver-kubelet-client.key",
        f"--service-account-key-file={host_paths.SERVICE_ACCOUNT_STEM}.pub",
        f"--tls-cert-file={host_paths.APISERVER_CRT}",
        f"--tls-private-key-file={PKI}/apiserver.key",
    ),
    "controllerManager": (
        "kube-controller-manager",
        "--bind-address=127.0.0.1",
        f"--root-ca-file={host_paths.KUBERNETES_CA_CRT}",
        f"--service-account-private-key-file={host_paths.SERVICE_ACCOUNT_STEM}.key",
        "--use-service-account-credentials=true",
    ),
    "scheduler": ("kube-scheduler", "--bind-address=127.0.0.1"),
}
KUBECONFIG_USERS = {
    host_paths.ADMIN_KUBECONFIG: "kubernetes-admin",
    host_paths.CONTROLLER_MANAGER_KUBECONFIG: "system:kube-controller-manager",
    host_paths.SCHEDULER_KUBECONFIG: "system:kube-scheduler",
}


class CheckedCluster(FakeCluster):
    """Certificates are by the machine's clock, as the checks are; ``changed`` by host is what it reports instead.

    ``asked`` are the hosts that were asked; what is done when one is, ``on_asked`` does.
    """

    def __init__(self, inventory):
        super().__init__(inventory, converged(inventory))
        self.identity = ClusterIdentity.generate(inventory.cluster.name, datetime.now(UTC))
        self.certificates = {host.name: self._certificates(host) for host in inventory.hosts}
        self.changed, self.asked, self.on_asked = {}, [], lambda name: None

    def attempt(self, host, *command, deadline_seconds=60):
        """The program of host facts, as hosts run it."""
        self.asked.append(host.name)
        self.on_asked(host.name)
        self.reached(host)
        request = json.loads(base64.b64decode(shlex.split(command[-1])[-1]))
        facts = self._facts(host, request) | self.changed.get(host.name, {})
        return Completed(0, json.dumps(facts).encode(), b"", None)

    def _facts(self, host, request):
        report, master = self.now_reported[host.name], host in self.inventory.masters
        words = {"active": {True: "active", False: "inactive"}, "enabled": {True: "enabled", False: "disabled"}}
        kubernetes = report["kubernetes"] or {}
        return {
            "units": {
                unit: {key: words[key][report["units"][unit][key]] for key in words}
                for unit in request["units"]
                if unit in report["units"]
            },
            "stats": self._stats(host, request),
            "certificates": self.certificates[host.name],
            "settings": {path: self._text(host, path) for path in request["settings"]},
            "kubelet_client_certificate": host_paths.KUBELET_CLIENT_PEM,
            "addresses": self._addresses(host),
            "haproxy_servers": report["balancer"]["servers"],
            "hashes": {path: report["bundle"].get(path) for path in request["hashes"]},
            "versions": {name: self._version(name) for name in request["versions"]},
            "documents": {
                "nodes": kubernetes.get("nodes"),
                "version": {"gitVersion": self._version("kubelet")} if master else None,
                "members": {"members": report["etcd"]["members"]} if report["etcd"]["members"] else None,
            },
            "requests": {name: self._answer(host, name) for name in request["requests"]},
            "kubelets": {name: {"kubeletconfig": self._kubelet()} for name in request["kubelets"]},
            "processes": self._processes(host),
            "audit_policy": audit_policy() if master else None,
            "encryption_providers": ["secretbox", "identity"] if master else None,
        }

    def _certificates(self, host):
        now, identity, inventory = datetime.now(UTC), self.identity, self.inventory
        made = {}
        if host in inventory.etcd:
            made |= etcd_server_files(identity, host.name, host.address, now) | healthcheck_client_files(
                identity, now
            )
        if host in inventory.nodes:
            client = kubelet_client(identity.kubernetes, host.name, now)
            made |= kubelet_serving_files(identity.kubernetes, host.name, host.address, now)
            made |= {host_paths.KUBELET_CLIENT_PEM: client.certificate}
            made |= {host_paths.KUBERNETES_CA_CRT: identity.kubernetes.certificate}
        if host in inventory.masters:
            made |= identity.to_files() | apiserver_client_files(identity, now)
            endpoint, service = inventory.cluster.endpoint.address, inventory.cluster.service_network[1]
            leaves = {
                host_paths.APISERVER_CRT: (identity.kubernetes, "kube-apiserver"),
                host_paths.APISERVER_KUBELET_CLIENT_CRT: (identity.kubernetes, "kube-apiserver-kubelet-client"),
                host_paths.FRONT_PROXY_CLIENT_CRT: (identity.front_proxy, "front-proxy-client"),
                **{path: (identity.kubernetes, user) for path, user in KUBECONFIG_USERS.items()},
            }
            names = (host.name, "kubernetes", f"kubernetes.default.svc.{inventory.cluster.dns_domain}")
            addresses = (host.address, IPv4Address(endpoint), service)
            for path, (authority, name) in leaves.items():
                both = (Usage.SERVER, Usage.CLIENT)
                leaf = issue(authority, name, usages=both, now=now, dns_names=names, addresses=addresses)
                made[path] = leaf.certificate
        return {path: pem.decode() for path, pem in made.items() if b"BEGIN CERTIFICATE" in pem}

    def _stats(self, host, request):
        """Of all that is in its reports, of keys beside certificates, and of what kubeadm and CNI write."""
        roles = self.inventory.roles(host)
        paths = {**dict.fromkeys(self.certificates[host.name], 0o644)}
        if "master" in roles:
            keys = [path for path in self.identity.to_files() if host_paths.is_private(path)]
            manifests = [f"{host_paths.STATIC_PODS}/{words[0]}.yaml" for words in BY_KUBEADM.values()]
            paths |= dict.fromkeys([*keys, *manifests, *KUBECONFIG_USERS], 0o600)
            paths |= {path.replace(".crt", ".key"): 0o600 for path in paths if path.startswith(PKI)}
        if {"master", "worker"} & set(roles):
            private = (host_paths.KUBELET_KUBECONFIG, host_paths.KUBELET_CONFIG_YAML, host_paths.KUBELET_SERVICE)
            paths |= dict.fromkeys((*private, f"{host_paths.CNI_CONFIG}/10-flannel.conflist"), 0o600)
        found = {path: stat(mode) for path, mode in paths.items()}
        if "etcd" in roles:
            found[host_paths.ETCD_DATA] = stat(0o700, "etcd", directory=True)
            found |= {path: stat(0o600, "etcd") for path in host_paths.ETCD_OWN_KEYS}
        bundle = {path: stat(0o755) for path in request["hashes"] if path in self.now_reported[host.name]["bundle"]}
        return found | bundle

    def _text(self, host, path):
        return files.etcd_unit(host, "token", 1 << 31).content.decode() if path == host_paths.ETCD_SERVICE else None

    def _addresses(self, host):
        holds = self.now_reported[host.name]["balancer"]["holds_endpoint"]
        return [str(host.address), *([self.inventory.cluster.endpoint.address] if holds else [])]

    def _version(self, program):
        manifest = samples.manifest()
        return f"v{manifest.etcd_version if program == 'etcd' else manifest.kubernetes_version}"

    def _kubelet(self):
        own = files.node_settings(self.inventory, "/etc/resolv.conf")
        return json.loads(json.dumps(files.kubelet_configuration(self.inventory) | own)) | {
            "authentication": {
                "anonymous": {"enabled": False},
                "x509": {"clientCAFile": host_paths.KUBERNETES_CA_CRT},
            }
        }

    def _processes(self, host):
        found = {}
        if host in self.inventory.etcd:
            unit = files.etcd_unit(host, "token", 1 << 31).content.decode().replace("\\\n", " ")
            found["etcd"] = shlex.split(re.search(r"^ExecStart=(.*)$", unit, re.M)[1])
        if host in self.inventory.nodes:
            found["kubelet"] = ["kubelet", f"--config={host_paths.KUBELET_CONFIG_YAML}"]
        if host in self.inventory.masters:
            document = list(yaml.safe_load_all(files.kubeadm_configuration(self.inventory, host)))[1]
            for part, words in BY_KUBEADM.items():
                own = [f"--{one['name']}={one['value']}" for one in document[part]["extraArgs"]]
                found[words[0]] = [*words, *own]
        return found

    def _answer(self, host, name):
        if name.startswith(("TLS 1.1", "etcd without", "etcd's peer port", "etcd with a")):
            return REFUSED
        if name.startswith("anonymous"):
            path = name.partition(" ")[2]
            return self._http(200 if path in ("/livez", "/readyz", "/healthz") or "cluster-info" in path else 401)
        if name == "endpoint":
            return self._http(200 if self.endpoint_is_ready(self.inventory) else 503)
        if name.startswith("apiserver "):
            other = name.partition(" ")[2]
            ready = other not in self.off and self.now_reported[other]["apiserver"]["ready"]
            return self._http(200 if ready else 503, other, host_paths.APISERVER_CRT)
        if name == "kubelet":
            return self._http(200, host.name, host_paths.KUBELET_SERVING_CRT)
        serves = self.now_reported[host.name]["etcd"]["reads_through_quorum"]
        return self._http(200 if serves else 503, host.name, f"{host_paths.ETCD_SERVER_STEM}.crt")

    def _http(self, status, host=None, path=None):
        served = None
        if host is not None:
            served = CertificateFacts.from_pem(self.certificates[host][path].encode(), path).fingerprint
        return NEVER | {"status": status, "served": served, "refused": False}


def stat(mode, owner="root", *, directory=False):
    return {"mode": mode, "owner": owner, "group": owner, "directory": directory}
