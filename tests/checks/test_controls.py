"""The controls against surveys that are sound but for what a test changes, and against their documentation."""

import re
from pathlib import Path

import pytest

from haplane.checks.controls import CONTROLS, EXCEPTIONS
from haplane.checks.judges import Subject, flags, reasonable_timeout
from haplane.checks.survey import Stat, Survey

DOCUMENT = Path(__file__).parents[2] / "docs" / "cis.md"
NUMBERS = [control.number for control in CONTROLS]
BY_NUMBER = {control.number: control for control in CONTROLS}
UNIT = "/etc/systemd/system/kubelet.service"


def survey(**changes):
    empty = {
        "units": {}, "stats": {}, "certificates": {}, "settings": {}, "kubelet_client_certificate": None,
        "addresses": (), "haproxy_servers": None, "hashes": {}, "versions": {}, "documents": {}, "requests": {},
    }  # fmt: skip
    return Survey.model_validate(empty | changes)


def wrong(number, kubelet=None, **changes):
    return BY_NUMBER[number].judge(Subject("m1", survey(**changes), kubelet))


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
    assert (control.judge(Subject("m1", survey())) is None) is (control.number in about_absence)


@pytest.mark.parametrize(
    ("number", "sound", "unsound"),
    [
        ("1.2.2", (), ("--token-auth-file=/tokens",)),
        ("1.2.6", ("--authorization-mode=Node,RBAC",), ("--authorization-mode=RBAC,AlwaysAllow",)),
        ("1.2.7", ("--authorization-mode=Node,RBAC",), ("--authorization-mode=RBAC",)),
        ("1.2.12", (), ("--disable-admission-plugins=Priority,ServiceAccount",)),
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
    assert wrong(number, None) == "no master tells its kubelet's configuration"


def test_what_only_looks_local_is_not():
    assert wrong("4.3.1", listening=("127.0.0.1:10249", "0.0.0.0:22")) is None
    assert wrong("4.3.1", listening=("0.0.0.0:10249",)) == "it listens on 0.0.0.0:10249"
    assert wrong("4.3.1", listening=("*:10249",)) == "it listens on *:10249"


def test_who_writes_secrets():
    assert wrong("1.2.28", encryption_providers=("secretbox", "identity")) is None
    assert wrong("1.2.28", encryption_providers=("identity", "secretbox")) == "secrets are written by identity"


def test_a_name_that_is_overridden_by_another_than_the_inventorys():
    assert wrong("4.2.7", processes={"kubelet": ("kubelet", "--hostname-override=m1")}) is None
    assert wrong("4.2.7", processes={"kubelet": ("kubelet", "--hostname-override=m2")})


def test_flags_as_processes_have_them():
    assert flags(("etcd", "--a=b=c", "--d", "word", "-x")) == {"a": "b=c", "d": "true"}


@pytest.mark.parametrize(
    ("value", "sound"), [(None, True), ("1m0s", True), ("300s", True), ("0s", False), ("1h", False)]
)
def test_timeouts(value, sound):
    assert reasonable_timeout(value) is sound
