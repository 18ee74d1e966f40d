"""Service account keys that differ between API servers: who is the odd one is what most of them show."""

import pytest
import samples
from statuses import status_of

INVENTORY = samples.inventory()
ADDRESSES = {host.name: str(host.address) for host in INVENTORY.masters}


def lines(refused=None, **unknown):
    observation = samples.converged(INVENTORY)
    for name in ADDRESSES:
        told = {"unknown_at": [ADDRESSES[other] for other in unknown.get(name, ())], "refused": refused or ""}
        observation = samples.altered(observation, name, tokens=told)
    return status_of(INVENTORY, observation).lines


@pytest.mark.parametrize("m1", [("m2", "m3"), ()])
def test_an_api_server_with_another_key_is_named_whoever_reports_it(m1):
    (line,) = lines(m1=m1, m2=("m1",), m3=("m1",))
    assert line.startswith("m1: its API server and m2, m3's do not know each other's tokens: pods' requests fail")
    assert "compare /etc/kubernetes/pki/sa.pub" in line
    assert "on m1: `cd /etc/kubernetes; mv manifests/kube-apiserver.yaml" in line


def test_each_pair_that_disagrees_is_named_once():
    assert len(lines(m1=("m2",), m2=("m1",))) == 1
    assert lines() == ()


def test_an_api_server_that_is_not_ready_may_know_nobody():
    observation = samples.altered(samples.converged(INVENTORY), "m1", apiserver={"ready": False})
    observation = samples.altered(observation, "m2", tokens={"unknown_at": [ADDRESSES["m1"]]})
    assert not any("tokens" in line for line in status_of(INVENTORY, observation).lines)


def test_an_api_server_that_starts_has_not_read_yet_who_may_have_tokens():
    """As long as its hook rbac/bootstrap-roles fails it refuses its own administrator."""
    starts = samples.altered(
        samples.converged(INVENTORY), "m1", apiserver={"ready": False}, tokens={"refused": "m1: cannot create"}
    )
    assert not any("tokens" in line for line in status_of(INVENTORY, starts).lines)


def test_what_keeps_tokens_from_being_issued_is_named_with_what_ends_it():
    why = "serviceaccounts is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no"
    (line,) = lines(refused=why)
    assert line.startswith("m1, m2, m3: API servers issue no tokens for service accounts: pods do not start (")
    assert line.endswith("fix: `kubectl delete validatingadmissionpolicybinding b`")
