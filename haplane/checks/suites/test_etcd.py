"""etcd: members healthy over TLS, other clients refused, no member able to form a new cluster."""

from __future__ import annotations

from haplane.checks.fleet import Machine
from haplane.config.model import Inventory
from haplane.domain import host_paths


def test_health(member: Machine) -> None:
    """Healthy over TLS."""
    answer = member.facts.requests["etcd health"]
    assert answer.status == 200, f"/health: {answer}"


def test_members(member: Machine, inventory: Inventory) -> None:
    """Members are the inventory's, without learners."""
    listed = member.facts.documents.members
    assert listed is not None, "etcdctl member list failed on this host"
    wanted = {(host.name, f"https://{host.address}:2380") for host in inventory.etcd}
    found = {(member.name, url) for member in listed.members for url in member.peer_urls}
    problems = [f"{name} ({url}) is not a member" for name, url in sorted(wanted - found)]
    problems += [
        f"{name or 'a member without a name'} ({url}) is not in this inventory"
        for name, url in sorted(found - wanted)
    ]
    problems += [f"{member.name} is a learner" for member in listed.members if member.is_learner]
    assert not problems, "\n".join(problems)


def test_refuses_other_clients(member: Machine) -> None:
    """Clients without a certificate of etcd's own are refused."""
    names = (
        "etcd without a certificate",
        "etcd's peer port without a certificate",
        "etcd with a Kubernetes certificate",
    )
    answers = {name: member.facts.requests[name] for name in names if name in member.facts.requests}
    problems = [f"{name}: {answer}" for name, answer in answers.items() if not answer.refused]
    assert not problems, "\n".join(problems)


def test_apiservers_endpoint(master: Machine) -> None:
    """Healthy at 127.0.0.1:2379, the API server's only etcd endpoint."""
    answer = master.facts.requests["etcd of the API server"]
    assert answer.status == 200, f"/health: {answer}"


def test_never_forms_a_new_cluster(member: Machine) -> None:
    """Cannot form a new, empty cluster after its disk is wiped."""
    unit = member.facts.settings.get(host_paths.ETCD_SERVICE) or ""
    assert "INITIAL_CLUSTER_STATE=existing" in unit, (
        f"{host_paths.ETCD_SERVICE} does not set INITIAL_CLUSTER_STATE=existing"
    )
    assert member.facts.settings.get(host_paths.ETCD_BOOTSTRAP_DROP_IN) is None, (
        f"{host_paths.ETCD_BOOTSTRAP_DROP_IN} overrides INITIAL_CLUSTER_STATE: remove it"
    )
