"""The CIS Kubernetes Benchmark 1.12 for masters, etcd and kubelets, each control by its number.

Controls that haplane does not meet on purpose are in EXCEPTIONS, with the reason; docs/cis.md tells the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from haplane.checks.judges import (
    Judge,
    at_least,
    audit_policy,
    authority_is_etcds_own,
    encrypts,
    files,
    flag,
    given,
    is_,
    keeps_its_name,
    lists,
    lists_no,
    local_only,
    reasonable_timeout,
    setting,
    strong,
)
from haplane.checks.questions import ETCD_DATA
from haplane.pki import paths

ROTATE = "RotateKubeletServerCertificate"
NO_POD = "etcd is a systemd service, not a pod; its unit holds no secret"
SERVING = "kubelets serve with certificates they sign themselves: Kubernetes approves no requests for signed ones"
EXCEPTIONS = {
    "1.1.7": NO_POD,
    "1.1.8": NO_POD,
    "1.1.12": "etcd runs as root: its data and keys are root's alone (0700, 0600), nobody else has business there",
    "1.2.1": "anonymous requests reach four paths, those in authentication.yaml; the suite `endpoint` tries others",
    "1.2.5": SERVING,
    "1.2.9": "EventRateLimit is an alpha API; API priority and fairness limits clients already",
    "1.2.11": "images are pushed to the hosts, which need no registry: pulling always would stop every pod",
    "4.2.9": SERVING,
}


@dataclass(frozen=True)
class Control:
    """``role`` is the fixture of the hosts it concerns."""

    number: str
    title: str
    role: str
    judge: Judge


APISERVER, MANAGER, SCHEDULER = "kube-apiserver", "kube-controller-manager", "kube-scheduler"
MANIFEST = "/etc/kubernetes/manifests/{}.yaml"
OPEN = "set it, or leave it out"


def _masters_files() -> list[tuple[str, str, Judge]]:
    found: list[tuple[str, str, Judge]] = []
    for mode, program in ((1, APISERVER), (3, MANAGER), (5, SCHEDULER)):
        path = MANIFEST.format(program)
        found.append((f"1.1.{mode}", f"{program}'s manifest is 0600", files(path, at_most=0o600)))
        found.append((f"1.1.{mode + 1}", f"{program}'s manifest is root's", files(path)))
    for mode, name in ((13, "admin"), (15, "scheduler"), (17, "controller-manager")):
        path = f"/etc/kubernetes/{name}.conf"
        found.append((f"1.1.{mode}", f"{name}.conf is 0600", files(path, at_most=0o600)))
        found.append((f"1.1.{mode + 1}", f"{name}.conf is root's", files(path)))
    return [
        *found,
        ("1.1.7", "etcd's manifest is 0600", files(MANIFEST.format("etcd"))),
        ("1.1.8", "etcd's manifest is root's", files(MANIFEST.format("etcd"))),
        ("1.1.9", "CNI configuration is 0600", files("/etc/cni/net.d/*", at_most=0o600)),
        ("1.1.10", "CNI configuration is root's", files("/etc/cni/net.d/*")),
        ("1.1.19", "the PKI is root's", files(f"{paths.KUBERNETES_PKI}/*")),
        ("1.1.20", "certificates are 0644 or less", files(f"{paths.KUBERNETES_PKI}/*.crt", at_most=0o644)),
        ("1.1.21", "keys are 0600", files(f"{paths.KUBERNETES_PKI}/*.key", at_most=0o600)),
    ]


def _api(names: str, sound: Callable[[str | None], bool], wish: str) -> Judge:
    return flag(APISERVER, names, sound, wish)


MASTER_CONTROLS = (
    *_masters_files(),
    ("1.2.1", "no anonymous requests", _api("anonymous-auth", is_("false"), "set it to false")),
    ("1.2.2", "no token file", _api("token-auth-file", is_(None), "leave it out")),
    ("1.2.3", "DenyServiceExternalIPs", _api("enable-admission-plugins", lists("DenyServiceExternalIPs"), "add it")),
    (
        "1.2.4",
        "a client certificate for kubelets",
        _api("kubelet-client-certificate kubelet-client-key", given, OPEN),
    ),
    ("1.2.5", "kubelets' authority", _api("kubelet-certificate-authority", given, "set it")),
    ("1.2.6", "authorization is not AlwaysAllow", _api("authorization-mode", lists_no("AlwaysAllow"), "remove it")),
    ("1.2.7", "authorization by Node", _api("authorization-mode", lists("Node"), "add Node")),
    ("1.2.8", "authorization by RBAC", _api("authorization-mode", lists("RBAC"), "add RBAC")),
    ("1.2.9", "EventRateLimit", _api("enable-admission-plugins", lists("EventRateLimit"), "add it")),
    ("1.2.10", "no AlwaysAdmit", _api("enable-admission-plugins", lists_no("AlwaysAdmit"), "remove it")),
    ("1.2.11", "AlwaysPullImages", _api("enable-admission-plugins", lists("AlwaysPullImages"), "add it")),
    ("1.2.12", "ServiceAccount", _api("disable-admission-plugins", lists_no("ServiceAccount"), "remove it")),
    ("1.2.13", "NamespaceLifecycle", _api("disable-admission-plugins", lists_no("NamespaceLifecycle"), "remove it")),
    ("1.2.14", "NodeRestriction", _api("enable-admission-plugins", lists("NodeRestriction"), "add it")),
    ("1.2.15", "no profiling", _api("profiling", is_("false"), "set it to false")),
    ("1.2.16", "an audit log", _api("audit-log-path", given, "set it")),
    ("1.2.17", "audit logs are kept 30 days", _api("audit-log-maxage", at_least(30), "30 or more")),
    ("1.2.18", "10 audit logs are kept", _api("audit-log-maxbackup", at_least(10), "10 or more")),
    ("1.2.19", "audit logs of 100 MB", _api("audit-log-maxsize", at_least(100), "100 or more")),
    ("1.2.20", "requests have a deadline", _api("request-timeout", reasonable_timeout, "at most 300s")),
    ("1.2.21", "service accounts are looked up", _api("service-account-lookup", is_("true"), "set it to true")),
    ("1.2.22", "service accounts' key", _api("service-account-key-file", given, "set it")),
    ("1.2.23", "etcd wants a certificate", _api("etcd-certfile etcd-keyfile", given, "set both")),
    ("1.2.24", "a serving certificate", _api("tls-cert-file tls-private-key-file", given, "set both")),
    ("1.2.25", "clients' authority", _api("client-ca-file", given, "set it")),
    ("1.2.26", "etcd's authority", _api("etcd-cafile", given, "set it")),
    ("1.2.27", "encryption at rest", _api("encryption-provider-config", given, "set it")),
    ("1.2.28", "secrets are written encrypted", encrypts),
    ("1.2.29", "strong ciphers", _api("tls-cipher-suites", strong, "name strong ones only")),
    ("1.2.30", "tokens expire", _api("service-account-extend-token-expiration", is_("false"), "set it to false")),
    ("1.3.1", "ended pods go", flag(MANAGER, "terminated-pod-gc-threshold", at_least(1), "set it")),
    ("1.3.2", "no profiling", flag(MANAGER, "profiling", is_("false"), "set it to false")),
    ("1.3.3", "controllers' own accounts", flag(MANAGER, "use-service-account-credentials", is_("true"), "set it")),
    ("1.3.4", "service accounts' key", flag(MANAGER, "service-account-private-key-file", given, "set it")),
    ("1.3.5", "pods' authority", flag(MANAGER, "root-ca-file", given, "set it")),
    ("1.3.6", "kubelets renew", flag(MANAGER, "feature-gates", lists_no(f"{ROTATE}=false"), "remove it")),
    ("1.3.7", "bound to 127.0.0.1", flag(MANAGER, "bind-address", is_("127.0.0.1"), "set it to 127.0.0.1")),
    ("1.4.1", "no profiling", flag(SCHEDULER, "profiling", is_("false"), "set it to false")),
    ("1.4.2", "bound to 127.0.0.1", flag(SCHEDULER, "bind-address", is_("127.0.0.1"), "set it to 127.0.0.1")),
    ("3.2.1", "an audit policy", audit_policy("audit.k8s.io/v1", "level: Metadata")),
    ("3.2.2", "it covers what matters", audit_policy("secrets", "configmaps", "tokenreviews", "pods/exec")),
)

MEMBER_CONTROLS = (
    ("1.1.11", "etcd's data is 0700", files(ETCD_DATA, at_most=0o700)),
    ("1.1.12", "etcd's data is etcd's", files(ETCD_DATA)),
    ("2.1", "a serving certificate", flag("etcd", "cert-file key-file", given, "set both")),
    ("2.2", "clients need certificates", flag("etcd", "client-cert-auth", is_("true"), "set it to true")),
    ("2.3", "no certificates of its own", flag("etcd", "auto-tls", lambda value: value != "true", "remove it")),
    ("2.4", "a certificate for peers", flag("etcd", "peer-cert-file peer-key-file", given, "set both")),
    ("2.5", "peers need certificates", flag("etcd", "peer-client-cert-auth", is_("true"), "set it to true")),
    ("2.6", "no peer certificates of its own", flag("etcd", "peer-auto-tls", lambda v: v != "true", "remove it")),
    ("2.7", "an authority of its own", authority_is_etcds_own),
)

CONFIG, UNIT = "/var/lib/kubelet/config.yaml", "/etc/systemd/system/kubelet.service"
NODE_CONTROLS = (
    ("4.1.1", "the kubelet's unit is 0600", files(UNIT, at_most=0o600)),
    ("4.1.2", "the kubelet's unit is root's", files(UNIT)),
    ("4.1.3", "a proxy's kubeconfig is 0600", files("/etc/kubernetes/proxy*.conf", at_most=0o600, optional=True)),
    ("4.1.4", "a proxy's kubeconfig is root's", files("/etc/kubernetes/proxy*.conf", optional=True)),
    ("4.1.5", "kubelet.conf is 0600", files("/etc/kubernetes/kubelet.conf", at_most=0o600)),
    ("4.1.6", "kubelet.conf is root's", files("/etc/kubernetes/kubelet.conf")),
    ("4.1.7", "clients' authority is 0644", files(f"{paths.KUBERNETES_AUTHORITY}.crt", at_most=0o644)),
    ("4.1.8", "clients' authority is root's", files(f"{paths.KUBERNETES_AUTHORITY}.crt")),
    ("4.1.9", "the kubelet's configuration is 0600", files(CONFIG, at_most=0o600)),
    ("4.1.10", "the kubelet's configuration is root's", files(CONFIG)),
    ("4.2.1", "no anonymous requests", setting("authentication.anonymous.enabled", lambda on: on is False, "false")),
    ("4.2.2", "authorization", setting("authorization.mode", lambda mode: mode == "Webhook", "Webhook")),
    ("4.2.3", "clients' authority", setting("authentication.x509.clientCAFile", bool, "set it")),
    ("4.2.4", "no read-only port", setting("readOnlyPort", lambda port: port in (None, 0), "0")),
    (
        "4.2.5",
        "idle streams end",
        setting("streamingConnectionIdleTimeout", lambda idle: idle not in ("0", "0s"), "not 0"),
    ),
    ("4.2.6", "iptables' chains", setting("makeIPTablesUtilChains", lambda on: on is not False, "not false")),
    ("4.2.7", "the machine's own name", keeps_its_name),
    ("4.2.8", "events are kept", setting("eventRecordQPS", lambda rate: rate is None or rate != -1, "0 or more")),
    ("4.2.9", "a serving certificate", setting("tlsCertFile", bool, "set it")),
    ("4.2.10", "client certificates renew", setting("rotateCertificates", lambda on: on is True, "true")),
    ("4.2.11", "serving ones may", setting(f"featureGates.{ROTATE}", lambda on: on is not False, "not false")),
    ("4.2.12", "strong ciphers", setting("tlsCipherSuites", strong, "name strong ones only")),
    (
        "4.2.13",
        "pods' processes are limited",
        setting("podPidsLimit", lambda n: isinstance(n, int) and n > 0, "set it"),
    ),
    ("4.2.14", "seccomp by default", setting("seccompDefault", lambda on: on is True, "true")),
    ("4.3.1", "kube-proxy's metrics are local", local_only(10249)),
)

CONTROLS = tuple(
    Control(number, title, role, judge)
    for role, controls in (("master", MASTER_CONTROLS), ("member", MEMBER_CONTROLS), ("node", NODE_CONTROLS))
    for number, title, judge in controls
)
