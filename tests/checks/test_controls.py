"""The controls against facts that are sound but for what a test changes, and against their documentation."""

import re
from pathlib import Path

import pytest

from haplane.checks.controls import CONTROLS, EXCEPTIONS
from haplane.checks.evaluate import Subject, flags, reasonable_timeout
from haplane.checks.host_facts import HostFacts, Stat
from haplane.desired.audit import audit_policy

DOCUMENT = Path(__file__).parents[2] / "docs" / "cis.md"
NUMBERS = [control.number for control in CONTROLS]
BY_NUMBER = {control.number: control for control in CONTROLS}
DISABLED, PLUGINS = "--disable-admission-plugins", "--enable-admission-plugins"
GATE = "RotateKubeletServerCertificate"
UNIT = "/etc/systemd/system/kubelet.service"


def facts(**changes):
    empty = {
        "units": {}, "stats": {}, "certificates": {}, "settings": {}, "kubelet_client_certificate": None,
        "addresses": (), "haproxy_servers": None, "hashes": {}, "versions": {}, "documents": {}, "requests": {},
    }  # fmt: skip
    return HostFacts.model_validate(empty | changes)


def wrong(number, kubelet=None, **changes):
    return BY_NUMBER[number].evaluate(Subject("m1", facts(**changes), kubelet))


def apiserver(*words):
    return {"processes": {"kube-apiserver": ("kube-apiserver", *words)}}


def stat(mode, owner="root", group="root"):
    return {"stats": {UNIT: Stat(mode=mode, owner=owner, group=group, directory=False)}}


def test_every_number_of_the_benchmark_is_there_once():
    sections = {"1.1": 21, "1.2": 30, "1.3": 7, "1.4": 2, "2": 7, "3.2": 2, "4.1": 10, "4.2": 14, "4.3": 1}
    wanted = {f"{section}.{number}" for section, last in sections.items() for number in range(1, last + 1)}
    assert len(NUMBERS) == len(set(NUMBERS))
    assert set(NUMBERS) == wanted


def test_exceptions_are_those_that_are_documented():
    rows = re.findall(r"^\| ([\d., ]+) \|", DOCUMENT.read_text(), re.M)
    assert {number for row in rows for number in row.split(", ")} == set(EXCEPTIONS)
    assert set(EXCEPTIONS) < set(NUMBERS)


@pytest.mark.parametrize("control", CONTROLS, ids=NUMBERS)
def test_a_host_of_which_nothing_is_known_is_not_called_sound(control):
    about_absence = {"4.1.3", "4.1.4", "4.2.7", "4.3.1"}
    assert (control.evaluate(Subject("m1", facts())) is None) is (control.number in about_absence)


@pytest.mark.parametrize(
    ("number", "sound", "unsound"),
    [
        ("1.2.2", (), ("--token-auth-file=/tokens",)),
        ("1.2.6", ("--authorization-mode=Node,RBAC",), ("--authorization-mode=RBAC,AlwaysAllow",)),
        ("1.2.7", ("--authorization-mode=Node,RBAC",), ("--authorization-mode=RBAC",)),
        ("1.2.12", (), ("--disable-admission-plugins=Priority,ServiceAccount",)),
        ("1.2.10", ("--enable-admission-plugins=A",), ("--enable-admission-plugins=AlwaysAdmit", PLUGINS + "=B")),
        ("1.2.12", (DISABLED, "Priority"), (DISABLED, "ServiceAccount")),
        ("1.2.12", (f"{DISABLED}=A", f"{DISABLED}=B"), (f"{DISABLED}=ServiceAccount", f"{DISABLED}=B")),
        ("1.2.12", (), ('--disable_admission_plugins="ServiceAccount"',)),
        ("1.2.13", (), (DISABLED, "NamespaceLifecycle")),
        ("1.2.15", ("--profiling=false",), ("--profiling",)),
        ("1.2.17", ("--audit-log-maxage=30",), ("--audit-log-maxage=3",)),
        ("1.2.23", ("--etcd-certfile=c", "--etcd-keyfile=k"), ("--etcd-certfile=c",)),
        (
            "1.2.29",
            ("--tls-cipher-suites=TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",),
            ("--tls-cipher-suites=TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_RSA_WITH_AES_128_CBC_SHA",),
        ),
    ],
)
def test_flags(number, sound, unsound):
    assert wrong(number, **apiserver(*sound)) is None
    assert "--" in wrong(number, **apiserver(*unsound))


@pytest.mark.parametrize(
    ("words", "sound"),
    [
        ((), True),
        ((f"--feature-gates={GATE}=true",), True),
        (("--feature-gates=AllBeta=false", f"--feature-gates={GATE}=true"), True),
        (("--feature-gates", f"{GATE}=false"), False),
        ((f"--feature-gates=A=true,{GATE}=0",), False),
        (("--feature-gates=AllBeta=false",), False),
    ],
)
def test_a_feature_gate_is_off_in_many_ways(words, sound):
    manager = {"kube-controller-manager": ("kube-controller-manager", *words)}
    assert (wrong("1.3.6", processes=manager) is None) is sound


@pytest.mark.parametrize("number, name", [("2.3", "auto-tls"), ("2.6", "peer-auto-tls")])
def test_etcd_takes_switches_from_its_environment_too(number, name):
    variable = "ETCD_" + name.upper().replace("-", "_")
    runs = {"processes": {"etcd": ("etcd", "--name=m1")}}
    assert wrong(number, **runs) is None
    assert wrong(number, processes={"etcd": ("etcd", f"--{name}=T")})
    assert wrong(number, processes={"etcd": ("etcd", f"-{name}")})
    assert wrong(number, **runs, environment={variable: "1"})
    assert wrong(number, processes={"etcd": ("etcd", f"--{name}=false")}, environment={variable: "1"}) is None
    assert "reads its settings from /x" in wrong(number, **runs, environment={"ETCD_CONFIG_FILE": "/x"})


def test_the_audit_policy_is_the_one_that_the_running_api_server_was_given():
    words = "# secrets configmaps tokenreviews pods/exec level: Metadata\napiVersion: audit.k8s.io/v1\nrules: []\n"
    nothing = '{"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "None"}]}'
    for number in ("3.2.1", "3.2.2"):
        assert wrong(number, audit_policy=audit_policy()) is None
        for given in (None, words, nothing):
            assert wrong(number, audit_policy=given)
    assert "get services/proxy" in wrong("3.2.2", audit_policy=audit_policy().replace(', "services/proxy"', ""))


def test_addresses_that_pods_were_given_are_files_of_cni_too():
    conflist = {"/etc/cni/net.d/10-flannel.conflist": Stat(mode=0o600, owner="root", group="root", directory=False)}
    directory = {"/var/lib/cni/networks/cbr0": Stat(mode=0o755, owner="root", group="root", directory=True)}
    lease = "/var/lib/cni/networks/cbr0/10.244.0.2"
    wide = {lease: Stat(mode=0o644, owner="adm", group="root", directory=False)}
    assert wrong("1.1.9", stats=conflist | directory) is None
    assert wrong("1.1.9", stats=conflist | wide) == f"{lease} is 0644 adm:root"
    assert wrong("1.1.10", stats=conflist | wide) == f"{lease} is 0644 adm:root"


def test_files():
    assert wrong("4.1.1", **stat(0o600)) is None
    assert wrong("4.1.1", **stat(0o400)) is None
    assert wrong("4.1.1", **stat(0o640)) == f"{UNIT} is 0640 root:root"
    assert wrong("4.1.2", **stat(0o600, group="adm")) == f"{UNIT} is 0600 root:adm"


@pytest.mark.parametrize(
    ("number", "sound", "unsound"),
    [
        ("4.2.1", {"authentication": {"anonymous": {"enabled": False}}}, {"authentication": {"anonymous": {}}}),
        ("4.2.4", {}, {"readOnlyPort": 10255}),
        ("4.2.12", {"tlsCipherSuites": ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"]}, {"tlsCipherSuites": []}),
        ("4.2.13", {"podPidsLimit": 4096}, {"podPidsLimit": -1}),
        ("4.2.14", {"seccompDefault": True}, {"seccompDefault": "true"}),
    ],
)
def test_kubelets(number, sound, unsound):
    assert wrong(number, sound) is None
    assert wrong(number, unsound)
    assert wrong(number, None) == "no master could read its kubelet configuration"


def test_what_only_looks_local_is_not():
    assert wrong("4.3.1", listening=("127.0.0.1:10249", "0.0.0.0:22")) is None
    assert wrong("4.3.1", listening=("0.0.0.0:10249",)) == "port 10249 is open on 0.0.0.0:10249"
    assert wrong("4.3.1", listening=("*:10249",)) == "port 10249 is open on *:10249"
    assert wrong("4.3.1", open_metrics=("0.0.0.0:10300",)) == "kube-proxy serves metrics at 0.0.0.0:10300"


def test_who_writes_secrets():
    assert wrong("1.2.28", encryption_providers=("secretbox", "identity")) is None
    assert wrong("1.2.28", encryption_providers=("aesgcm", "identity")).startswith(
        "secrets are written by the provider aesgcm"
    )
    assert wrong("1.2.28", encryption_providers=("identity", "secretbox")).startswith(
        "secrets are written by the provider identity"
    )


def test_a_name_that_is_overridden_by_another_than_the_inventorys():
    assert wrong("4.2.7", processes={"kubelet": ("kubelet", "--hostname-override=m1")}) is None
    assert wrong("4.2.7", processes={"kubelet": ("kubelet", "--hostname-override=m2")})


def test_flags_as_processes_have_them():
    assert flags(("etcd", "--a=b=c", "--d", "word", "-x", "--profiling", "--", "--y=z")) == {
        "a": "b=c", "d": "word", "x": "true", "profiling": "true",
    }  # fmt: skip
    several = ("x", "--feature_gates=A=false", "--feature-gates", "B=true", "--profiling=true", "--profiling=f")
    assert flags(several) == {"feature-gates": "A=false,B=true", "profiling": "f"}


@pytest.mark.parametrize(
    ("value", "sound"), [(None, True), ("1m0s", True), ("300s", True), ("0s", False), ("1h", False)]
)
def test_timeouts(value, sound):
    assert reasonable_timeout(value) is sound
