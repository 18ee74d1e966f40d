"""How a control is judged from a host's survey: by its files, its processes' flags, its kubelet's configuration."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch

from haplane.checks.questions import AUDIT_POLICY
from haplane.checks.survey import Survey
from haplane.pki import paths

STRONG_CIPHERS = frozenset(
    f"TLS_ECDHE_{key}_WITH_{cipher}"
    for key in ("ECDSA", "RSA")
    for cipher in ("AES_128_GCM_SHA256", "AES_256_GCM_SHA384", "CHACHA20_POLY1305", "CHACHA20_POLY1305_SHA256")
)
ENCRYPTING = {"aescbc", "aesgcm", "kms", "secretbox"}


@dataclass(frozen=True)
class Subject:
    """One host as the controls see it. ``kubelet`` is its kubelet's running configuration, None if nobody tells."""

    name: str
    survey: Survey
    kubelet: Mapping[str, object] | None = None


Judge = Callable[[Subject], str | None]
"""What is wrong, or None."""


def files(pattern: str, *, at_most: int | None = None, optional: bool = False) -> Judge:
    """Files that match are root's; with ``at_most`` that instead, their mode has no bit that this has not."""

    def judge(subject: Subject) -> str | None:
        found = {path: stat for path, stat in subject.survey.stats.items() if fnmatch(path, pattern)}
        if not found:
            return None if optional else f"{pattern} is absent"
        wrong = [
            f"{path} is {stat.mode:04o} {stat.owner}:{stat.group}"
            for path, stat in found.items()
            if (stat.mode & ~at_most if at_most is not None else (stat.owner, stat.group) != ("root", "root"))
        ]
        return "\n".join(wrong) or None

    return judge


def flag(process: str, names: str, sound: Callable[[str | None], bool], wish: str) -> Judge:
    """The running process's flags of these names (separated by blanks) are ``sound``; one that is absent is None."""

    def judge(subject: Subject) -> str | None:
        argv = subject.survey.processes.get(process)
        if argv is None:
            return f"{process} does not run"
        told = flags(argv)
        wrong = [
            f"--{name} is {told.get(name, 'not set')}: {wish}" for name in names.split() if not sound(told.get(name))
        ]
        return "\n".join(wrong) or None

    return judge


def flags(argv: Sequence[str]) -> dict[str, str]:
    """``--name=value`` by name; a flag without a value is ``true``."""
    words = (word.removeprefix("--").partition("=") for word in argv[1:] if word.startswith("--"))
    return {name: value if equals else "true" for name, equals, value in words}


def setting(path: str, sound: Callable[[object], bool], wish: str) -> Judge:
    """The kubelet's running configuration at a dotted path; what it does not say is None."""

    def judge(subject: Subject) -> str | None:
        if subject.kubelet is None:
            return "no master tells its kubelet's configuration"
        found: object = subject.kubelet
        for key in path.split("."):
            found = found.get(key) if isinstance(found, Mapping) else None
        return None if sound(found) else f"{path} is {found}: {wish}"

    return judge


def given(value: str | None) -> bool:
    """Whether it is set to something."""
    return bool(value)


def is_(wanted: str | None) -> Callable[[str | None], bool]:
    """Whether it is exactly that."""
    return lambda value: value == wanted


def at_least(number: int) -> Callable[[str | None], bool]:
    """Whether it is a number that high."""
    return lambda value: value is not None and value.isdecimal() and int(value) >= number


def lists(word: str) -> Callable[[str | None], bool]:
    """Whether it is among the words it lists."""
    return lambda value: word in (value or "").split(",")


def lists_no(word: str) -> Callable[[str | None], bool]:
    """Whether it is none of the words it lists."""
    return lambda value: word not in (value or "").split(",")


def strong(value: object) -> bool:
    """Whether ciphers are named, and all of them are strong."""
    names = value.split(",") if isinstance(value, str) else value
    return isinstance(names, list) and bool(names) and all(name in STRONG_CIPHERS for name in map(str, names))


def reasonable_timeout(value: str | None) -> bool:
    """Not set, which means a minute, or at most 5 minutes."""
    return value is None or bool(re.fullmatch(r"([1-9]\d?|[12]\d\d|300)s|[1-5]m0?s?", value))


def encrypts(subject: Subject) -> str | None:
    """The provider that writes secrets is not the one that leaves them as they are."""
    first = next(iter(subject.survey.encryption_providers or ()), None)
    return None if first in ENCRYPTING else f"secrets are written by {first or 'nobody'}"


def authority_is_etcds_own(subject: Subject) -> str | None:
    """The authority of etcd is not Kubernetes'."""
    held = subject.survey.certificates
    authorities = held.get(paths.ETCD_MEMBER_AUTHORITY), held.get(f"{paths.KUBERNETES_AUTHORITY}.crt")
    return f"{paths.ETCD_MEMBER_AUTHORITY} is Kubernetes' own" if authorities[0] == authorities[1] else None


def audit_policy(*words: str) -> Judge:
    """The policy names these."""

    def judge(subject: Subject) -> str | None:
        policy = subject.survey.settings.get(AUDIT_POLICY) or ""
        missing = [word for word in words if word not in policy]
        return f"{AUDIT_POLICY} says nothing of {', '.join(missing)}" if missing else None

    return judge


def keeps_its_name(subject: Subject) -> str | None:
    """Where the machine has another name than the inventory kubeadm overrides it, by that one only."""
    override = flags(subject.survey.processes.get("kubelet", ())).get("hostname-override")
    return None if override in (None, subject.name) else f"--hostname-override is {override}, not {subject.name}"


def local_only(port: int) -> Judge:
    """Nothing listens on that TCP port but at a loopback address."""

    def judge(subject: Subject) -> str | None:
        open_at = [place for place in subject.survey.listening if place.endswith(f":{port}")]
        wrong = [place for place in open_at if not place.startswith(("127.", "[::1]"))]
        return f"it listens on {', '.join(wrong)}" if wrong else None

    return judge
