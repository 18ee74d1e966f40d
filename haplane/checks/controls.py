"""The CIS Kubernetes Benchmark 1.12 for masters, etcd and kubelets, each control by its number.

Controls that haplane does not meet on purpose are in EXCEPTIONS, with the reason, as in docs/cis.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from haplane.checks.evaluate import (
    Evaluation,
    at_least,
    audit_covers,
    audit_policy,
    both,
    ca_is_etcds_own,
    encrypts,
    files,
    flag,
    gate_is_on,
    given,
    is_,
    is_off,
    keeps_its_name,
    lists,
    lists_no,
    local_only,
    metrics_are_local,
    reasonable_timeout,
    setting,
    strong,
)
from haplane.domain import host_paths
from haplane.domain.files import ETCD_USER

ROTATE = "RotateKubeletServerCertificate"
NO_POD = "etcd is a systemd service, not a pod; its unit holds no secret"
EXCEPTIONS = {
    "1.1.7": NO_POD,
    "1.1.8": NO_POD,
    "1.2.1": "anonymous requests reach four paths (authentication.yaml); the suite `endpoint` requests others",
    "1.2.9": "EventRateLimit is an alpha API; API Priority and Fairness limits clients already",
    "1.2.11": "images are pushed to the hosts, which need no registry: with AlwaysPullImages no pod would start",
}


@dataclass(frozen=True)
class Control:
    """``role`` is the fixture of the hosts that the control applies to."""

    number: str
    title: str
    role: str
    evaluate: Evaluation


APISERVER, MANAGER, SCHEDULER = "kube-apiserver", "kube-controller-manager", "kube-scheduler"
MANIFEST = host_paths.STATIC_PODS + "/{}.yaml"
SET_BOTH = "set both"


def _masters_files() -> list[tuple[str, str, Evaluation]]:
    found: list[tuple[str, str, Evaluation]] = []
    for mode, program in ((1, APISERVER), (3, MANAGER), (5, SCHEDULER)):
        path = MANIFEST.format(program)
        found.append((f"1.1.{mode}", f"{program}'s manifest is 0600", files(path, at_most=0o600)))
        found.append((f"1.1.{mode + 1}", f"{program}'s manifest is owned by root", files(path)))
    for mode, name in ((13, "admin"), (15, "scheduler"), (17, "controller-manager")):
        path = f"{host_paths.KUBERNETES}/{name}.conf"
        found.append((f"1.1.{mode}", f"{name}.conf is 0600", files(path, at_most=0o600)))
        found.append((f"1.1.{mode + 1}", f"{name}.conf is owned by root", files(path)))
    return [
        *found,
        ("1.1.7", "etcd's manifest is 0600", files(MANIFEST.format("etcd"))),
        ("1.1.8", "etcd's manifest is owned by root", files(MANIFEST.format("etcd"))),
        (
            "1.1.9",
            "CNI's files are 0600",
            both(
                files(f"{host_paths.CNI_CONFIG}/*", at_most=0o600),
                files(f"{host_paths.CNI_NETWORKS}/*", at_most=0o600, optional=True, directories=False),
            ),
        ),
        (
            "1.1.10",
            "CNI's files are owned by root",
            both(files(f"{host_paths.CNI_CONFIG}/*"), files(f"{host_paths.CNI_NETWORKS}/*", optional=True)),
        ),
        ("1.1.19", "the PKI is owned by root", files(f"{host_paths.KUBERNETES_PKI}/*")),
        ("1.1.20", "certificates are 0644 or less", files(f"{host_paths.KUBERNETES_PKI}/*.crt", at_most=0o644)),
        ("1.1.21", "keys are 0600", files(f"{host_paths.KUBERNETES_PKI}/*.key", at_most=0o600)),
    ]


def _api(names: str, accepts: Callable[[str | None], bool], fix: str) -> Evaluation:
    return flag(APISERVER, names, accepts, fix)


MASTER_CONTROLS = (
    *_masters_files(),
    ("1.2.1", "anonymous requests are refused", _api("anonymous-auth", is_("false"), "set it to false")),
    ("1.2.2", "no static token file", _api("token-auth-file", is_(None), "leave it out")),
    (
        "1.2.3",
        "DenyServiceExternalIPs is on",
        _api("enable-admission-plugins", lists("DenyServiceExternalIPs"), "add it"),
    ),
    (
        "1.2.4",
        "a client certificate for kubelets is set",
        _api("kubelet-client-certificate kubelet-client-key", given, SET_BOTH),
    ),
    (
        "1.2.5",
        "the CA of kubelets' serving certificates is set",
        _api("kubelet-certificate-authority", given, "set it"),
    ),
    ("1.2.6", "authorization is not AlwaysAllow", _api("authorization-mode", lists_no("AlwaysAllow"), "remove it")),
    ("1.2.7", "authorization uses Node", _api("authorization-mode", lists("Node"), "add Node")),
    ("1.2.8", "authorization uses RBAC", _api("authorization-mode", lists("RBAC"), "add RBAC")),
    ("1.2.9", "EventRateLimit is on", _api("enable-admission-plugins", lists("EventRateLimit"), "add it")),
    ("1.2.10", "AlwaysAdmit is off", _api("enable-admission-plugins", lists_no("AlwaysAdmit"), "remove it")),
    ("1.2.11", "AlwaysPullImages is on", _api("enable-admission-plugins", lists("AlwaysPullImages"), "add it")),
    ("1.2.12", "ServiceAccount is on", _api("disable-admission-plugins", lists_no("ServiceAccount"), "remove it")),
    (
        "1.2.13",
        "NamespaceLifecycle is on",
        _api("disable-admission-plugins", lists_no("NamespaceLifecycle"), "remove it"),
    ),
    ("1.2.14", "NodeRestriction is on", _api("enable-admission-plugins", lists("NodeRestriction"), "add it")),
    ("1.2.15", "profiling is off", _api("profiling", is_("false"), "set it to false")),
    ("1.2.16", "an audit log is written", _api("audit-log-path", given, "set it")),
    ("1.2.17", "audit logs are kept for 30 days", _api("audit-log-maxage", at_least(30), "30 or more")),
    ("1.2.18", "10 audit logs are kept", _api("audit-log-maxbackup", at_least(10), "10 or more")),
    ("1.2.19", "audit logs rotate at 100 MB", _api("audit-log-maxsize", at_least(100), "100 or more")),
    ("1.2.20", "requests time out", _api("request-timeout", reasonable_timeout, "at most 300s")),
    ("1.2.21", "service account tokens are looked up", _api("service-account-lookup", is_("true"), "set it to true")),
    ("1.2.22", "the service account key is set", _api("service-account-key-file", given, "set it")),
    ("1.2.23", "a client certificate for etcd is set", _api("etcd-certfile etcd-keyfile", given, SET_BOTH)),
    ("1.2.24", "a serving certificate is set", _api("tls-cert-file tls-private-key-file", given, SET_BOTH)),
    ("1.2.25", "the client CA is set", _api("client-ca-file", given, "set it")),
    ("1.2.26", "etcd's CA is set", _api("etcd-cafile", given, "set it")),
    ("1.2.27", "encryption at rest is configured", _api("encryption-provider-config", given, "set it")),
    ("1.2.28", "secrets are encrypted when written", encrypts),
    ("1.2.29", "only strong ciphers", _api("tls-cipher-suites", strong, "name strong ones only")),
    (
        "1.2.30",
        "token expiration is not extended",
        _api("service-account-extend-token-expiration", is_("false"), "set it to false"),
    ),
    (
        "1.3.1",
        "terminated pods are garbage-collected",
        flag(MANAGER, "terminated-pod-gc-threshold", at_least(1), "set it"),
    ),
    ("1.3.2", "profiling is off", flag(MANAGER, "profiling", is_("false"), "set it to false")),
    (
        "1.3.3",
        "controllers use their own service accounts",
        flag(MANAGER, "use-service-account-credentials", is_("true"), "set it"),
    ),
    ("1.3.4", "the service account key is set", flag(MANAGER, "service-account-private-key-file", given, "set it")),
    ("1.3.5", "the root CA for pods is set", flag(MANAGER, "root-ca-file", given, "set it")),
    (
        "1.3.6",
        "kubelets rotate serving certificates",
        flag(MANAGER, "feature-gates", gate_is_on(ROTATE), "remove it"),
    ),
    ("1.3.7", "bound to 127.0.0.1", flag(MANAGER, "bind-address", is_("127.0.0.1"), "set it to 127.0.0.1")),
    ("1.4.1", "profiling is off", flag(SCHEDULER, "profiling", is_("false"), "set it to false")),
    ("1.4.2", "bound to 127.0.0.1", flag(SCHEDULER, "bind-address", is_("127.0.0.1"), "set it to 127.0.0.1")),
    ("3.2.1", "an audit policy is in use", audit_policy),
    ("3.2.2", "the audit policy covers sensitive requests", audit_covers),
)

MEMBER_CONTROLS = (
    ("1.1.11", "etcd's data directory is 0700", files(host_paths.ETCD_DATA, at_most=0o700)),
    ("1.1.12", "etcd's data directory is owned by etcd", files(host_paths.ETCD_DATA, owner=ETCD_USER)),
    ("2.1", "a serving certificate is set", flag("etcd", "cert-file key-file", given, SET_BOTH)),
    ("2.2", "client certificates are required", flag("etcd", "client-cert-auth", is_("true"), "set it to true")),
    ("2.3", "no self-signed certificates", flag("etcd", "auto-tls", is_off, "remove it")),
    ("2.4", "a peer certificate is set", flag("etcd", "peer-cert-file peer-key-file", given, SET_BOTH)),
    ("2.5", "peer certificates are required", flag("etcd", "peer-client-cert-auth", is_("true"), "set it to true")),
    ("2.6", "no self-signed peer certificates", flag("etcd", "peer-auto-tls", is_off, "remove it")),
    ("2.7", "etcd has its own CA", ca_is_etcds_own),
)

CONFIG, UNIT = host_paths.KUBELET_CONFIG_YAML, host_paths.KUBELET_SERVICE
NODE_CONTROLS = (
    ("4.1.1", "the kubelet's unit is 0600", files(UNIT, at_most=0o600)),
    ("4.1.2", "the kubelet's unit is owned by root", files(UNIT)),
    ("4.1.3", "a kube-proxy kubeconfig is 0600", files("/etc/kubernetes/proxy*.conf", at_most=0o600, optional=True)),
    ("4.1.4", "a kube-proxy kubeconfig is owned by root", files("/etc/kubernetes/proxy*.conf", optional=True)),
    ("4.1.5", "kubelet.conf is 0600", files(host_paths.KUBELET_KUBECONFIG, at_most=0o600)),
    ("4.1.6", "kubelet.conf is owned by root", files(host_paths.KUBELET_KUBECONFIG)),
    ("4.1.7", "the client CA is 0644", files(host_paths.KUBERNETES_CA_CRT, at_most=0o644)),
    ("4.1.8", "the client CA is owned by root", files(host_paths.KUBERNETES_CA_CRT)),
    ("4.1.9", "the kubelet configuration is 0600", files(CONFIG, at_most=0o600)),
    ("4.1.10", "the kubelet configuration is owned by root", files(CONFIG)),
    (
        "4.2.1",
        "anonymous requests are refused",
        setting("authentication.anonymous.enabled", lambda on: on is False, "false"),
    ),
    (
        "4.2.2",
        "authorization is by webhook",
        setting("authorization.mode", lambda mode: mode == "Webhook", "Webhook"),
    ),
    ("4.2.3", "the client CA is set", setting("authentication.x509.clientCAFile", bool, "set it")),
    ("4.2.4", "no read-only port", setting("readOnlyPort", lambda port: port in (None, 0), "0")),
    (
        "4.2.5",
        "idle streams time out",
        setting("streamingConnectionIdleTimeout", lambda idle: idle not in ("0", "0s"), "not 0"),
    ),
    (
        "4.2.6",
        "the kubelet manages iptables chains",
        setting("makeIPTablesUtilChains", lambda on: on is not False, "not false"),
    ),
    ("4.2.7", "the host name is not overridden", keeps_its_name),
    ("4.2.8", "events are recorded", setting("eventRecordQPS", lambda rate: rate is None or rate != -1, "0 or more")),
    ("4.2.9", "a serving certificate is set", setting("tlsCertFile", bool, "set it")),
    ("4.2.10", "client certificates rotate", setting("rotateCertificates", lambda on: on is True, "true")),
    (
        "4.2.11",
        "serving certificates may rotate",
        setting(f"featureGates.{ROTATE}", lambda on: on is not False, "not false"),
    ),
    ("4.2.12", "only strong ciphers", setting("tlsCipherSuites", strong, "name strong ones only")),
    (
        "4.2.13",
        "processes per pod are limited",
        setting("podPidsLimit", lambda n: isinstance(n, int) and n > 0, "set it"),
    ),
    ("4.2.14", "seccomp is on by default", setting("seccompDefault", lambda on: on is True, "true")),
    ("4.3.1", "kube-proxy's metrics are local", both(local_only(10249), metrics_are_local)),
)

CONTROLS = tuple(
    Control(number, title, role, evaluate)
    for role, controls in (("master", MASTER_CONTROLS), ("member", MEMBER_CONTROLS), ("node", NODE_CONTROLS))
    for number, title, evaluate in controls
)
