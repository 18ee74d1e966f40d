"""How a control is evaluated on a host's facts: its files, its processes' flags, its kubelet configuration."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch

from haplane.checks.audit import logs_anything, parse_policy, unlogged
from haplane.checks.host_facts import HostFacts
from haplane.domain import host_paths

STRONG_CIPHERS = frozenset(
    f"TLS_ECDHE_{key}_WITH_{cipher}"
    for key in ("ECDSA", "RSA")
    for cipher in ("AES_128_GCM_SHA256", "AES_256_GCM_SHA384", "CHACHA20_POLY1305", "CHACHA20_POLY1305_SHA256")
)
ENCRYPTING = {"aescbc", "kms", "secretbox"}
LISTS = frozenset(
    {
        "authorization-mode",
        "disable-admission-plugins",
        "enable-admission-plugins",
        "feature-gates",
        "tls-cipher-suites",
    }
)
"""Flags that may be given several times: what they list counts together. Of any other the last counts."""

SWITCHES = frozenset(
    {
        "anonymous-auth",
        "auto-tls",
        "client-cert-auth",
        "peer-auto-tls",
        "peer-client-cert-auth",
        "profiling",
        "service-account-extend-token-expiration",
        "service-account-lookup",
        "use-service-account-credentials",
    }
)
"""Flags whose value is never the next word."""

FALSE = frozenset({"0", "f", "F", "false", "False", "FALSE"})
"""As Go reads it."""


@dataclass(frozen=True)
class Subject:
    """One host as the controls see it. ``kubelet`` is its kubelet's running configuration, if known."""

    name: str
    facts: HostFacts
    kubelet: Mapping[str, object] | None = None


Evaluation = Callable[[Subject], str | None]
"""What is wrong, or None."""


def both(first: Evaluation, second: Evaluation) -> Evaluation:
    """What is wrong by either."""
    return lambda subject: "\n".join(filter(None, (first(subject), second(subject)))) or None


def files(
    pattern: str,
    *,
    at_most: int | None = None,
    optional: bool = False,
    owner: str = "root",
    directories: bool = True,
) -> Evaluation:
    """Files that match belong to the owner, user and group.

    With ``at_most`` that is not compared but their mode: it must have no bit that ``at_most`` lacks. ``optional``:
    there need not be any. Without ``directories`` those are left out.
    """

    def evaluate(subject: Subject) -> str | None:
        stats = {path: stat for path, stat in subject.facts.stats.items() if directories or not stat.directory}
        found = {path: stat for path, stat in stats.items() if fnmatch(path, pattern)}
        if not found:
            return None if optional else f"{pattern} is absent"
        wrong = [
            f"{path} is {stat.mode:04o} {stat.owner}:{stat.group}"
            for path, stat in found.items()
            if (stat.mode & ~at_most if at_most is not None else (stat.owner, stat.group) != (owner, owner))
        ]
        return "\n".join(wrong) or None

    return evaluate


def flag(process: str, names: str, accepts: Callable[[str | None], bool], fix: str) -> Evaluation:
    """``accepts`` accepts the running process's flags of these names (separated by blanks); an absent one is None."""

    def evaluate(subject: Subject) -> str | None:
        argv = subject.facts.processes.get(process)
        if argv is None:
            return f"{process} is not running"
        set_to = {**(of_environment(subject) if process == "etcd" else {}), **flags(argv)}
        if process == "etcd" and "config-file" in set_to:
            return f"etcd reads its settings from {set_to['config-file']} and ignores its flags"
        wrong = [
            f"--{name} is {set_to.get(name, 'not set')}: {fix}"
            for name in names.split()
            if not accepts(set_to.get(name))
        ]
        return "\n".join(wrong) or None

    return evaluate


def of_environment(subject: Subject) -> dict[str, str]:
    """Etcd's flags as its environment has them: it counts where no flag does."""
    return {
        name.removeprefix("ETCD_").lower().replace("_", "-"): value
        for name, value in subject.facts.environment.items()
    }


def flags(argv: Sequence[str]) -> dict[str, str]:
    """The value of each flag, by its name as the documentation writes it; a switch without one is ``true``.

    With one dash or two, with underscores, with the value in the next word, and several times, as the programs take
    them.
    """
    found: dict[str, str] = {}
    words = list(argv[1:])
    while words:
        word = words.pop(0)
        if word == "--":
            break
        name, equals, value = word.lstrip("-").partition("=")
        name = name.replace("_", "-")
        if not word.startswith("-"):
            continue
        if not equals:
            follows = name not in SWITCHES and bool(words) and not words[0].startswith("-")
            value = words.pop(0) if follows else "true"
        found[name] = f"{found[name]},{value}" if name in LISTS and name in found else value
    return found


def setting(path: str, accepts: Callable[[object], bool], fix: str) -> Evaluation:
    """The kubelet's running configuration at a dotted path; what is not set is None."""

    def evaluate(subject: Subject) -> str | None:
        if subject.kubelet is None:
            return "no master could read its kubelet configuration"
        found: object = subject.kubelet
        for key in path.split("."):
            found = found.get(key) if isinstance(found, Mapping) else None
        return None if accepts(found) else f"{path} is {found}: {fix}"

    return evaluate


def given(value: str | None) -> bool:
    """Whether it is set to something."""
    return bool(value)


def is_(wanted: str | None) -> Callable[[str | None], bool]:
    """Whether it is exactly that."""
    return lambda value: value == wanted


def at_least(number: int) -> Callable[[str | None], bool]:
    """Whether it is a number that high."""
    return lambda value: value is not None and value.isdecimal() and int(value) >= number


def is_off(value: str | None) -> bool:
    """Whether a switch that is off by itself has been left so."""
    return value is None or value in FALSE


def listed(value: str | None) -> list[str]:
    """What a flag lists: comma-separated values, which may be quoted."""
    return [word.strip() for row in csv.reader([value or ""]) for word in row]


def lists(word: str) -> Callable[[str | None], bool]:
    """Whether it is among the words it lists."""
    return lambda value: word in listed(value)


def lists_no(word: str) -> Callable[[str | None], bool]:
    """Whether it is none of the words it lists."""
    return lambda value: word not in listed(value)


def gate_is_on(name: str) -> Callable[[str | None], bool]:
    """Whether feature gates leave this one, which is on by itself, as it is; all of a stage may be off at once."""

    def is_on(value: str | None) -> bool:
        pairs = [word.partition("=") for word in listed(value)]
        gates = {gate.strip(): state.strip() for gate, _, state in pairs}
        return gates.get(name, gates.get("AllBeta")) not in FALSE

    return is_on


def strong(value: object) -> bool:
    """Whether ciphers are named, and all of them are strong."""
    names = listed(value) if isinstance(value, str) else value
    return isinstance(names, list) and bool(names) and all(name in STRONG_CIPHERS for name in map(str, names))


def reasonable_timeout(value: str | None) -> bool:
    """Not set, which means a minute, or at most 5 minutes."""
    return value is None or bool(re.fullmatch(r"([1-9]\d?|[12]\d\d|300)s|[1-5]m0?s?", value))


def encrypts(subject: Subject) -> str | None:
    """The provider that writes secrets encrypts them."""
    first = next(iter(subject.facts.encryption_providers or ()), None)
    return (
        None
        if first in ENCRYPTING
        else f"secrets are written by the provider {first or '(none)'}, which does not encrypt them"
    )


def ca_is_etcds_own(subject: Subject) -> str | None:
    """Etcd's CA is not the Kubernetes CA."""
    held = subject.facts.certificates
    cas = held.get(host_paths.ETCD_MEMBER_CA_CRT), held.get(host_paths.KUBERNETES_CA_CRT)
    return f"{host_paths.ETCD_MEMBER_CA_CRT} is the Kubernetes CA" if cas[0] == cas[1] else None


def audit_policy(subject: Subject) -> str | None:
    """The API server was given a policy that logs."""
    policy = parse_policy(subject.facts.audit_policy or "")
    if policy is None:
        return "kube-apiserver runs without an --audit-policy-file in haplane's format"
    return None if logs_anything(policy) else "the audit policy logs nothing"


def audit_covers(subject: Subject) -> str | None:
    """Sensitive requests are logged for every user."""
    policy = parse_policy(subject.facts.audit_policy or "")
    if policy is None:
        return "kube-apiserver runs without an --audit-policy-file in haplane's format"
    missing = [str(access) for access in unlogged(policy)]
    return f"the audit policy may not log {', '.join(missing)}" if missing else None


def keeps_its_name(subject: Subject) -> str | None:
    """--hostname-override is absent or the inventory's name, which kubeadm sets where the host has another one."""
    override = flags(subject.facts.processes.get("kubelet", ())).get("hostname-override")
    return None if override in (None, subject.name) else f"--hostname-override is {override}, not {subject.name}"


def local_only(port: int) -> Evaluation:
    """Nothing listens on that TCP port but at a loopback address."""

    def evaluate(subject: Subject) -> str | None:
        open_at = [place for place in subject.facts.listening if place.endswith(f":{port}")]
        wrong = [place for place in open_at if not place.startswith(("127.", "[::1]"))]
        return f"port {port} is open on {', '.join(wrong)}" if wrong else None

    return evaluate


def metrics_are_local(subject: Subject) -> str | None:
    """kube-proxy serves its metrics at loopback addresses alone, whatever the port."""
    wrong = subject.facts.open_metrics
    return f"kube-proxy serves metrics at {', '.join(wrong)}" if wrong else None
