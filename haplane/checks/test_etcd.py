"""etcd: every member healthy over TLS, strangers refused, and no member ready to form a new cluster."""

from __future__ import annotations

from haplane.checks.fleet import Machine
from haplane.checks.questions import ETCD_BOOTSTRAP, ETCD_UNIT
from haplane.config.model import Inventory


def test_health(member: Machine) -> None:
    """Healthy over TLS."""
    answer = member.survey.requests["etcd health"]
    assert answer.status == 200, f"/health: {answer}"


def test_members(member: Machine, inventory: Inventory) -> None:
    """Members are the inventory's, without learners."""
    listed = member.survey.documents.members
    assert listed is not None, "it does not give its member list"
    wanted = {(host.name, f"https://{host.address}:2380") for host in inventory.etcd}
    found = {(told.name, url) for told in listed.members for url in told.peer_urls}
    problems = [f"{name} ({url}) is no member" for name, url in sorted(wanted - found)]
    problems += [f"{name or 'a member without name'} ({url}) is a stranger" for name, url in sorted(found - wanted)]
    problems += [f"{told.name} is a learner" for told in listed.members if told.is_learner]
    assert not problems, "\n".join(problems)


def test_refuses_strangers(member: Machine) -> None:
    """Clients without a certificate of etcd's own are refused."""
    names = (
        "etcd without a certificate",
        "etcd's peer port without a certificate",
        "etcd with a Kubernetes certificate",
    )
    answers = {name: member.survey.requests[name] for name in names if name in member.survey.requests}
    problems = [f"{name}: {answer}" for name, answer in answers.items() if not answer.refused]
    assert not problems, "\n".join(problems)


def test_apiservers_endpoint(master: Machine) -> None:
    """Healthy where the API server asks, at 127.0.0.1:2379."""
    answer = master.survey.requests["etcd of the API server"]
    assert answer.status == 200, f"/health: {answer}"


def test_never_forms_a_new_cluster(member: Machine) -> None:
    """With a wiped disk it would not serve an empty cluster."""
    unit = member.survey.settings.get(ETCD_UNIT) or ""
    assert "INITIAL_CLUSTER_STATE=existing" in unit, f'{ETCD_UNIT} does not say "existing"'
    assert member.survey.settings.get(ETCD_BOOTSTRAP) is None, f"remove {ETCD_BOOTSTRAP}: it says otherwise"
