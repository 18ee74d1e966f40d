"""Tokens of service accounts, with which pods log in: that they are issued, and that every API server knows them."""

from __future__ import annotations

from collections import Counter

from haplane.domain.observed import Observation
from haplane.domain.plan import few
from haplane.domain.problem import Problem, on, problem
from haplane.domain.refusals import RESTART_APISERVER, fix_of_refusal
from haplane.domain.status.model import Roster


def token_problems(roster: Roster, observation: Observation) -> list[Problem]:
    """A host is believed about a disagreement with another one only where that does not blame the others.

    An API server that is not ready refuses what it has not read the rights for yet.
    """
    ready = observation.with_ready_apiserver(roster.masters)
    masters = {name: observation.reports[name].tokens for name in ready}
    refused = {name: one.refused for name, one in masters.items() if one.refused}
    found = []
    if refused:
        why = next(iter(refused.values()))
        what = f"{few(list(refused))}: API servers issue no tokens for service accounts: pods do not start"
        found.append(problem(what, why=why, fix=fix_of_refusal("kube-system/", why)))
    return found + _strangers(roster, observation)


def _strangers(roster: Roster, observation: Observation) -> list[Problem]:
    """The master that is part of most disagreements: the others know each other's."""
    names = {roster.addresses[name]: name for name in observation.with_ready_apiserver(roster.masters)}
    pairs = {
        tuple(sorted((issuer, names[address])))
        for address_of_issuer, issuer in names.items()
        for address in observation.reports[issuer].tokens.unknown_at
        if address in names and address != address_of_issuer
    }
    found = []
    while pairs:
        name = Counter(name for pair in pairs for name in pair).most_common(1)[0][0]
        others = sorted({one for pair in pairs if name in pair for one in pair} - {name})
        pairs = {pair for pair in pairs if name not in pair}
        found.append(
            problem(
                f"{name}: its API server and {few(others)}'s do not know each other's tokens: pods' requests fail",
                why="it has read another service account key than the others",
                fix=f"compare /etc/kubernetes/pki/sa.pub; where they are the same, {on(name, RESTART_APISERVER)}",
            )
        )
    return found
