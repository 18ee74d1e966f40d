"""When certificates expire, and who renews them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from haplane.domain import host_paths
from haplane.domain.problem import UP, Ends, Problem, named, problem
from haplane.errors import INVENTORY

SOON_DAYS = 30.0
CA_DAYS = 180.0
"""A CA's end is the end of everything it issued, and replacing one takes planning."""
ISSUERS = f"`haplane certs status {INVENTORY}`"
DAYS_MATTER = 2.0
"""Below that an end is given in hours."""


class Renewer(Enum):
    """Who issues a certificate anew before it expires."""

    UP = "haplane up"
    KUBELET = "the kubelet"
    NOBODY = "nobody"


@dataclass(frozen=True)
class Certificate:
    """One on a host; of a kubeconfig the one embedded in it. ``days_left`` is negative once it has expired.

    ``counts`` is false for one that nobody verifies. ``foreign``: the cluster's CA has not issued it. ``flaw``: why
    those whom it is for do not take it, however long it holds.
    """

    host: str
    path: str
    subject: str
    issuer: str
    not_after: datetime
    days_left: float
    renewed_by: Renewer
    is_authority: bool = False
    counts: bool = True
    foreign: bool = False
    flaw: str = ""

    @property
    def file(self) -> str:
        """HOST:PATH."""
        return f"{self.host}:{self.path}"


@dataclass(frozen=True)
class Expiring:
    """One that needs attention: ``file`` is HOST:PATH, ``renewed_by`` a :class:`Renewer`'s words."""

    file: str
    days_left: float
    renewed_by: str


@dataclass(frozen=True)
class Flawed:
    """One that its clients or servers do not take; ``file`` is HOST:PATH."""

    file: str
    why: str


@dataclass(frozen=True)
class Certificates:
    """The first to expire of all that were seen on any host; ``file`` is HOST:PATH of it.

    ``expired`` are those that have, ``expiring`` those that will within SOON_DAYS, ``authorities`` CAs within
    CA_DAYS. ``foreign`` are those of kubeconfigs and kubelets that another CA has issued, ``flawed`` those that are
    of no use for another reason, or elsewhere.
    """

    expires_first: str | None
    days_left: float | None
    file: str | None = None
    expired: tuple[Expiring, ...] = ()
    expiring: tuple[Expiring, ...] = ()
    authorities: tuple[Expiring, ...] = ()
    foreign: tuple[Expiring, ...] = ()
    flawed: tuple[Flawed, ...] = ()

    def hosts_expired(self, under: str = "/") -> frozenset[str]:
        """Hosts with an expired certificate at a path that begins so."""
        split = (one.file.partition(":") for one in self.expired)
        return frozenset(host for host, _, path in split if path.startswith(under))


def summarise_certificates(found: Iterable[Certificate]) -> Certificates:
    """What ``status`` shows of all that were found."""
    counted = sorted((one for one in found if one.counts), key=lambda one: (one.not_after, one.file))
    if not counted:
        return Certificates(None, None)
    first = counted[0]
    return Certificates(
        first.not_after.isoformat(),
        round(first.days_left, 1),
        first.file,
        expired=_picked(one for one in counted if one.days_left <= 0 and not one.is_authority),
        expiring=_picked(one for one in counted if 0 < one.days_left < SOON_DAYS and not one.is_authority),
        authorities=_picked(one for one in counted if one.days_left < CA_DAYS and one.is_authority),
        foreign=_picked(one for one in counted if one.foreign),
        flawed=tuple(Flawed(one.file, one.flaw) for one in counted if one.flaw and not one.foreign),
    )


def validity(days_left: float) -> str:
    """``expires in 12 days``, in hours near the end, or ``expired 3 days ago``."""
    distance = abs(days_left)
    amount = f"{distance:.0f} days" if distance >= DAYS_MATTER else f"{distance * 24:.0f} hours"
    return f"expires in {amount}" if days_left > 0 else f"expired {amount} ago"


def _picked(found: Iterable[Certificate]) -> tuple[Expiring, ...]:
    return tuple(Expiring(one.file, round(one.days_left, 1), one.renewed_by.value) for one in found)


def certificate_problems(certificates: Certificates, inventory: str = INVENTORY) -> list[Problem]:
    """Those that have expired, each that is about to, and CAs near their end."""
    found = [*expired_certificates(certificates), *expiring_certificates(certificates)]
    return [named(one, inventory) for one in found]


def expired_certificates(certificates: Certificates) -> list[Problem]:
    """Haplane's in one line with all their hosts, then each of others'."""
    ours = [one for one in certificates.expired if one.renewed_by != Renewer.NOBODY.value]
    found = [_expired(ours)] if ours else []
    return found + [
        problem(
            f"{one.file} has expired and is not renewed automatically",
            fix=f"reissue it at its source, which {ISSUERS} shows, or remove it",
            ends=Ends.BY_ITS_FIX,
        )
        for one in certificates.expired
        if one.renewed_by == Renewer.NOBODY.value
    ]


def expiring_certificates(certificates: Certificates) -> list[Problem]:
    """Those that still serve, and will not for long or not everybody."""
    found = [_about_to_expire(one) for one in certificates.expiring]
    found += [problem(f"{one.file} was not issued by the cluster's CA", fix=UP) for one in certificates.foreign]
    found += [
        problem(f"{each.file} is not accepted by those it is for", why=each.why, fix=UP)
        for each in certificates.flawed
    ]
    for one in certificates.authorities:
        found.append(
            problem(
                f"the CA {one.file} {validity(one.days_left)}",
                why="every certificate it issued expires with it",
                fix=f"{ISSUERS} lists those; renew it with the same key, docs/certificates.md has the commands",
                ends=Ends.BY_ITS_FIX,
            )
        )
    return found


def _about_to_expire(one: Expiring) -> Problem:
    host = one.file.partition(":")[0]
    fix = {
        Renewer.UP.value: UP,
        Renewer.KUBELET.value: f"find out why the kubelet on {host} does not renew it: `journalctl -u kubelet`",
        Renewer.NOBODY.value: f"reissue it at its source, which {ISSUERS} shows: it is not renewed automatically",
    }[one.renewed_by]
    return problem(f"{one.file} {validity(one.days_left)}", fix=fix, ends=Ends.BY_ITS_FIX)


def _expired(found: Sequence[Expiring]) -> Problem:
    hosts = sorted({one.file.partition(":")[0] for one in found})
    counted = "1 certificate has" if len(found) == 1 else f"{len(found)} certificates have"
    whose = dict.fromkeys(_whose(one.file.partition(":")[2]) for one in found)
    named = ", ".join(one.file for one in found) if len(found) <= 2 else f"of {', '.join(whose)}"
    return problem(f"{counted} expired on {', '.join(hosts)}", why=named, fix=UP, ends=Ends.BY_ITS_FIX)


def _whose(path: str) -> str:
    if host_paths.is_below(path, host_paths.ETCD_PKI):
        return "etcd"
    return (
        "kubelets"
        if path.startswith((host_paths.KUBELET_PKI, host_paths.KUBELET_KUBECONFIG))
        else "the control plane"
    )
