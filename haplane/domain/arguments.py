"""Flags of API server, controller manager and scheduler: haplane's, and what an inventory may change. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from haplane.domain import host_paths

Scalar = str | int | float | bool
Flags = Mapping[str, Scalar | Sequence[Scalar]]
Argument = tuple[str, str]

APISERVER, CONTROLLER_MANAGER, SCHEDULER = "kube-apiserver", "kube-controller-manager", "kube-scheduler"
COMPONENTS = MappingProxyType(
    {
        "kube_apiserver": APISERVER,
        "kube_controller_manager": CONTROLLER_MANAGER,
        "kube_scheduler": SCHEDULER,
    }
)
"""By the name that the component's flags have in ``tuning``."""

OIDC = "oidc-"
OIDC_UNKNOWN = ("oidc-signing-algs",)
"""An AuthenticationConfiguration has nothing of the kind: every asymmetric algorithm is accepted."""
ADDED_TO = ("enable-admission-plugins",)
"""Lists that an inventory adds to, where other flags take the place of haplane's."""

_KUBEADM = "kubeadm sets it from the cluster's own files"
_NETWORK = "it follows from the inventory's addresses and networks"
_ETCD = "API servers reach etcd as haplane arranges it"
_LOGIN = "who may log in is in the AuthenticationConfiguration; oidc-* flags are translated into it"
_ROLLING = "planned restarts without failed requests depend on it"
_FILES = {"authentication-kubeconfig": _KUBEADM, "authorization-kubeconfig": _KUBEADM, "kubeconfig": _KUBEADM}
_ELECTION = {"leader-elect": "every master runs one, and only one of them may act"}

OWNED: Mapping[str, Mapping[str, str]] = {
    APISERVER: {
        **dict.fromkeys(("advertise-address", "bind-address", "secure-port", "service-cluster-ip-range"), _NETWORK),
        **dict.fromkeys(("etcd-cafile", "etcd-certfile", "etcd-keyfile", "etcd-servers", "etcd-prefix"), _ETCD),
        **dict.fromkeys(("anonymous-auth", "authentication-config"), _LOGIN),
        **dict.fromkeys(("shutdown-delay-duration", "shutdown-watch-termination-grace-period"), _ROLLING),
        **dict.fromkeys(
            (
                *("allow-privileged", "client-ca-file", "enable-bootstrap-token-auth", "tls-cert-file"),
                *("tls-private-key-file", "kubelet-client-certificate", "kubelet-client-key"),
                *("proxy-client-cert-file", "proxy-client-key-file", "requestheader-allowed-names"),
                *("requestheader-client-ca-file", "requestheader-extra-headers-prefix"),
                *("requestheader-group-headers", "requestheader-username-headers"),
                *("service-account-key-file", "service-account-signing-key-file"),
            ),
            _KUBEADM,
        ),
        "authorization-config": "kubeadm sets authorization-mode, and an API server takes only one of the two",
        "encryption-provider-config": "haplane keeps and rotates the keys that encrypt secrets",
        "kubelet-certificate-authority": "haplane sets it once every kubelet's certificate can be verified",
        "default-not-ready-toleration-seconds": 'set cluster["unreachable_toleration_seconds"]',
        "default-unreachable-toleration-seconds": 'set cluster["unreachable_toleration_seconds"]',
    },
    CONTROLLER_MANAGER: {
        **_FILES,
        **_ELECTION,
        **dict.fromkeys(
            ("cluster-cidr", "service-cluster-ip-range", "allocate-node-cidrs", "cluster-name"), _NETWORK
        ),
        **dict.fromkeys(
            (
                *("client-ca-file", "cluster-signing-cert-file", "cluster-signing-key-file", "root-ca-file"),
                *("requestheader-client-ca-file", "service-account-private-key-file"),
                "use-service-account-credentials",
            ),
            _KUBEADM,
        ),
        "node-cidr-mask-size": "haplane relies on a /24 for each node",
        "node-monitor-grace-period": 'set cluster["node_monitor_grace_seconds"]',
    },
    SCHEDULER: {**_FILES, **_ELECTION, "config": "its pod mounts no directory for such a file"},
}
"""Flags that an inventory may not set, and why."""

_ISSUED = "haplane issues kubelets' certificates"
OWNED_FIELDS: Mapping[str, Mapping[str, str]] = {
    "kubelet": {
        **dict.fromkeys(("apiVersion", "kind"), "haplane writes the document around these settings"),
        **dict.fromkeys(("rotateCertificates", "serverTLSBootstrap", "tlsCertFile", "tlsPrivateKeyFile"), _ISSUED),
        "clusterDomain": 'set cluster["dns_domain"]',
        "containerRuntimeEndpoint": "haplane runs containerd, and kubelets use that",
        "port": "API servers and haplane expect kubelets at port 10250",
        "staticPodPath": f"kubeadm writes the control plane's manifests to {host_paths.STATIC_PODS}",
    },
    "kube_proxy": {
        **dict.fromkeys(("apiVersion", "kind"), "haplane writes the document around these settings"),
        "clusterCIDR": 'set cluster["pod_network"]',
        "mode": 'set cluster["proxy_mode"]',
    },
}
"""By the name in ``tuning``, fields of configurations that an inventory may not set, and why."""

AUTHORIZATION = "authorization-mode"
IN_THE_POD = (
    *(f"{host_paths.HAPLANE}/", f"{host_paths.KUBERNETES_PKI}/", "/etc/ssl/certs/", "/usr/share/ca-certificates/"),
    *("/usr/local/share/ca-certificates/", f"{host_paths.AUDIT_LOGS}/"),
)
"""Directories of a host that the API server's pod has."""


@dataclass(frozen=True)
class Setting:
    """What haplane's own arguments take from the inventory."""

    unreachable_toleration_seconds: int
    node_monitor_grace_seconds: int
    cipher_suites: str
    kubelet_ca: str | None


def apiserver_arguments(setting: Setting, flags: Flags) -> list[Argument]:
    """Every argument that kubeadm is given for the API server."""
    toleration = str(setting.unreachable_toleration_seconds)
    own = [
        ("authentication-config", host_paths.AUTHENTICATION_YAML),
        ("encryption-provider-config", host_paths.ENCRYPTION_YAML),
        ("audit-policy-file", host_paths.AUDIT_POLICY_YAML),
        ("audit-log-path", host_paths.AUDIT_LOG),
        ("audit-log-maxage", "30"),
        ("audit-log-maxbackup", "10"),
        ("audit-log-maxsize", "100"),
        ("default-not-ready-toleration-seconds", toleration),
        ("default-unreachable-toleration-seconds", toleration),
        ("enable-admission-plugins", "NodeRestriction,DenyServiceExternalIPs"),
        ("etcd-compaction-interval", "4m0s"),
        ("goaway-chance", "0.02"),
        *([("kubelet-certificate-authority", setting.kubelet_ca)] if setting.kubelet_ca else []),
        ("profiling", "false"),
        ("service-account-extend-token-expiration", "false"),
        ("service-account-lookup", "true"),
        ("shutdown-delay-duration", "4s"),
        ("shutdown-watch-termination-grace-period", "5s"),
        *_tls(setting),
    ]
    return merged(own, {name: value for name, value in flags.items() if not name.startswith(OIDC)})


def controller_manager_arguments(setting: Setting, flags: Flags) -> list[Argument]:
    """Every argument that kubeadm is given for the controller manager."""
    own = [
        ("node-monitor-grace-period", f"{setting.node_monitor_grace_seconds}s"),
        ("profiling", "false"),
        ("terminated-pod-gc-threshold", "1000"),
        *_tls(setting),
    ]
    return merged(own, flags)


def scheduler_arguments(setting: Setting, flags: Flags) -> list[Argument]:
    """Every argument that kubeadm is given for the scheduler."""
    return merged([("profiling", "false"), *_tls(setting)], flags)


def _tls(setting: Setting) -> list[Argument]:
    return [("tls-cipher-suites", setting.cipher_suites), ("tls-min-version", "VersionTLS12")]


def merged(own: Sequence[Argument], flags: Flags) -> list[Argument]:
    """Ours in their order, with the inventory's in the place of those of the same name, then the others'."""
    found: list[Argument] = []
    for name, value in own:
        if name not in flags:
            found.append((name, value))
        elif name in ADDED_TO:
            words = [*value.split(","), *(word for one in texts(flags[name]) for word in one.split(","))]
            found.append((name, ",".join(dict.fromkeys(filter(None, words)))))
        else:
            found += [(name, text) for text in texts(flags[name])]
    ours = {name for name, _ in own}
    return found + [(name, text) for name in sorted(set(flags) - ours) for text in texts(flags[name])]


def texts(value: Scalar | Sequence[Scalar]) -> list[str]:
    """As on a command line: each of a list is an argument of its own."""
    listed = value if isinstance(value, list | tuple) else (value,)
    return [str(one).lower() if isinstance(one, bool) else str(one) for one in listed]


def refused_flags(component: str, flags: Flags) -> Iterator[tuple[str, str]]:
    """Each flag of the inventory that is not for users, and why."""
    for name in flags:
        if name in OWNED[component]:
            yield name, OWNED[component][name]
        elif name in OIDC_UNKNOWN and component == APISERVER:
            yield name, "every asymmetric algorithm is accepted; an AuthenticationConfiguration cannot choose"
        elif name == AUTHORIZATION and component == APISERVER and not _authorizes(texts(flags[name])):
            yield name, "without Node and RBAC no kubelet and no user has rights, with AlwaysAllow everybody has"
        elif not name.startswith(OIDC) and any(_is_out_of_reach(name, one) for one in texts(flags[name])):
            yield name, f"the component's pod has no such file: of the host it has {', '.join(IN_THE_POD)}"


def _authorizes(values: Sequence[str]) -> bool:
    modes = {mode for value in values for mode in value.split(",")}
    return {"Node", "RBAC"} <= modes and "AlwaysAllow" not in modes


def _is_out_of_reach(name: str, value: str) -> bool:
    return name.endswith(("-file", "-path")) and value.startswith("/") and not value.startswith(IN_THE_POD)


def flags_in(text: str) -> frozenset[str]:
    """The flags that a component's ``--help`` describes, without dashes."""
    return frozenset(re.findall(r"^ +(?:-\w, )?--([a-z][a-z0-9-]*)", text, re.M))
