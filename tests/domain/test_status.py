import json

import pytest
import samples

from haplane.desired.hosts import units
from haplane.domain.observed import Observation
from haplane.domain.status import Certificates, Roster, summarise
from haplane.pki.cluster_identity import IDENTITY_PATHS

INVENTORY = samples.inventory(workers=1)
ROSTER = Roster(
    cluster="test",
    endpoint="10.0.0.10:6443",
    endpoint_is_external=False,
    kubernetes_version="1.35.4",
    masters=("m1", "m2", "m3"),
    etcd=("m1", "m2", "m3"),
    balancers=("lb1", "lb2"),
    workers=("w1",),
    addresses={host.name: str(host.address) for host in INVENTORY.hosts},
    units={host.name: units(INVENTORY, host) for host in INVENTORY.hosts},
    identity=IDENTITY_PATHS,
)
CONVERGED = samples.converged(INVENTORY)


def judged(observation, *, endpoint_answers=True, days_left=300.0):
    certificates = Certificates("2027-07-01T12:00:00+00:00", days_left, "m1:/etc/etcd/pki/server.crt")
    return summarise(
        ROSTER, observation, endpoint_answers=endpoint_answers, certificates=certificates, now=samples.NOW
    )


def silenced(*names):
    reports = {name: report for name, report in CONVERGED.reports.items() if name not in names}
    return Observation(reports=reports, unreachable=dict.fromkeys(names, "timed out"))


def test_a_healthy_cluster():
    status = judged(CONVERGED)
    assert status.healthy
    assert status.problems == ()
    assert (status.etcd.quorum.voters, status.etcd.quorum.can_lose) == (3, 1)
    assert [member.leader for member in status.etcd.members] == [True, False, False]
    assert [balancer.holds_endpoint for balancer in status.load_balancers] == [True, False]
    assert [worker.name for worker in status.workers] == ["w1"]


def test_the_document_has_the_agreed_shape():
    document = json.loads(json.dumps(judged(CONVERGED).document()))
    assert set(document["cluster"]) == {"name", "endpoint", "kubernetes_version", "uid"}
    assert set(document["masters"][0]) == {
        "name", "address", "reachable", "ready", "apiserver_ready", "kubelet_version",
    }  # fmt: skip
    assert set(document["etcd"]["members"][0]) == {
        "name", "id", "address", "healthy", "leader", "learner", "db_bytes", "revision",
    }  # fmt: skip
    assert set(document["etcd"]["quorum"]) == {"voters", "healthy", "needed", "can_lose"}
    assert set(document["load_balancers"][0]) == {"name", "reachable", "haproxy", "holds_endpoint"}
    assert set(document["snapshots"]) == {
        "interval_seconds", "last_taken_at", "last_verified_at", "age_seconds", "pipeline_seconds", "rpo_seconds",
        "local", "remote", "members",
    }  # fmt: skip
    assert set(document["certificates"]) == {"expires_first", "days_left", "file"}
    assert document["cluster"]["uid"] == "cluster-1"


def test_one_master_down_leaves_quorum_and_says_what_is_lost():
    status = judged(silenced("m2"))
    assert not status.healthy
    assert status.etcd.quorum.can_lose == 0
    assert "m2: not reachable (timed out)" in status.problems
    assert "etcd member m2: not healthy" in status.problems
    assert not [problem for problem in status.problems if "quorum" in problem]
    assert status.cluster.uid == "cluster-1"


def test_two_masters_down_is_no_quorum():
    observation = silenced("m1", "m2")
    member = CONVERGED.reports["m3"].etcd.model_dump(by_alias=True) | {"reads_through_quorum": False}
    status = judged(samples.altered(observation, "m3", etcd=member), endpoint_answers=False)
    assert (status.etcd.quorum.healthy, status.etcd.quorum.needed, status.etcd.quorum.can_lose) == (0, 2, 0)
    assert "etcd has no quorum: 0 of 3 healthy, 2 needed" in status.problems


def test_every_host_down_still_says_which():
    status = judged(silenced(*CONVERGED.reports), endpoint_answers=False)
    assert [master.reachable for master in status.masters] == [False, False, False]
    assert sum("not reachable" in problem for problem in status.problems) == 6
    assert status.cluster.uid is None


def test_before_up_nothing_is_claimed():
    observation = samples.fresh(INVENTORY)
    status = summarise(
        ROSTER, observation, endpoint_answers=False, certificates=Certificates(None, None), now=samples.NOW
    )
    assert not status.healthy
    assert status.etcd.quorum.healthy == 0
    assert not any(master.ready or master.apiserver_ready for master in status.masters)
    assert "the endpoint 10.0.0.10:6443 does not answer ready" in status.problems


@pytest.mark.parametrize(
    ("holders", "words"), [((), "no load balancer holds"), (("lb1", "lb2"), "lb1 and lb2 both hold")]
)
def test_the_address_is_held_exactly_once(holders, words):
    observation = CONVERGED
    for name in ("lb1", "lb2"):
        state = {"holds_endpoint": name in holders, "endpoint_answers": False, "servers": []}
        observation = samples.altered(observation, name, balancer=state)
    assert [problem for problem in judged(observation).problems if words in problem]


def test_a_silent_haproxy_an_endpoint_not_ready_and_a_certificate_soon_gone_are_problems():
    state = {"holds_endpoint": False, "endpoint_answers": False, "servers": None}
    observation = samples.altered(CONVERGED, "lb2", balancer=state)
    assert judged(observation, endpoint_answers=False, days_left=2.0).problems == (
        "lb2: haproxy does not answer",
        "the endpoint 10.0.0.10:6443 does not answer ready",
        "m1:/etc/etcd/pki/server.crt expires in 2 days",
    )


@pytest.mark.parametrize(
    ("days", "problems"), [(31.0, ()), (29.0, ("expires in 29 days",)), (-3.0, ("has expired",)), (None, ())]
)
def test_a_month_before_a_certificate_expires_it_is_named(days, problems):
    assert judged(CONVERGED, days_left=days).problems == tuple(
        f"m1:/etc/etcd/pki/server.crt {one}" for one in problems
    )


def test_an_endpoint_that_only_the_clusters_own_network_reaches_is_ready():
    heard = CONVERGED.reports["w1"].balancer.model_dump() | {"endpoint_ready": True}
    assert judged(samples.altered(CONVERGED, "w1", balancer=heard), endpoint_answers=False).problems == ()


def test_what_could_not_be_looked_at_is_said():
    observation = samples.altered(CONVERGED, "m1", failed={"images": "KeyError('x')"})
    assert judged(observation).problems == ("m1: its images cannot be looked at (KeyError('x'))",)


@pytest.mark.parametrize(
    ("name", "unit"),
    [("lb2", "keepalived"), ("lb2", "haproxy"), ("m2", "etcd"), ("m2", "kubelet"), ("w1", "containerd")],
)
@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"active": False}, "is not running"),
        ({"enabled": False}, "is disabled, it would not start with the machine"),
        (None, "is not running"),
    ],
)
def test_redundancy_that_is_gone_is_not_healthy(name, unit, state, words):
    found = {key: one.model_dump() for key, one in CONVERGED.reports[name].units.items()}
    found |= {unit: found[unit] | state} if state else {}
    if state is None:
        del found[unit]
    assert judged(samples.altered(CONVERGED, name, units=found)).problems == (f"{name}: {unit} {words}",)


@pytest.mark.parametrize(
    ("backend", "server", "state", "problems"),
    [
        ("apiservers", "m2", "UP", ()),
        ("apiservers", "m2", "UP 1/2", ()),
        ("apiservers", "m2", "DRAIN", ("lb1 sends nothing to m2 (DRAIN)",)),
        ("apiservers", "m2", "DOWN", ("lb1 sends nothing to m2 (DOWN)",)),
        ("apiservers", "m2", "no check", ("lb1 does not check m2 (no check)",)),
        ("etcd", "m2", "DRAIN", ()),
        ("apiservers", "m3", "DOWN", ()),
    ],
)
def test_a_ready_master_that_a_load_balancer_does_not_use_is_a_problem(backend, server, state, problems):
    servers = [{"backend": backend, "name": server, "status": state}]
    balancer = CONVERGED.reports["lb1"].balancer.model_dump() | {"servers": servers}
    observation = samples.altered(CONVERGED, "lb1", balancer=balancer)
    observation = samples.altered(observation, "m3", apiserver={"ready": False, "detail": "HTTP 500"})
    assert judged(observation).problems == ("m3: its API server is not ready", *problems)


@pytest.mark.parametrize(
    ("pods", "nodes", "problems"),
    [
        (0, 4, ("no CoreDNS pod is ready: pods cannot resolve names",)),
        (1, 4, ("only 1 CoreDNS pod is ready: without it pods cannot resolve names",)),
        (2, 4, ()),
        (1, 1, ()),
    ],
)
def test_one_coredns_pod_is_no_redundancy(pods, nodes, problems):
    observation = CONVERGED
    for name in ("m1", "m2", "m3"):
        told = observation.reports[name].kubernetes.model_dump() | {"coredns_ready": pods}
        told["nodes"] = told["nodes"][:nodes]
        observation = samples.altered(observation, name, kubernetes=told)
    assert tuple(one for one in judged(observation).problems if "CoreDNS" in one) == problems


def test_a_learner_has_no_vote():
    member = CONVERGED.reports["m1"].etcd.model_dump(by_alias=True)
    member["members"] = [one | {"isLearner": one["name"] == "m3"} for one in member["members"]]
    observation = CONVERGED
    for name in ("m1", "m2", "m3"):
        own = observation.reports[name].etcd.model_dump(by_alias=True) | {"members": member["members"]}
        observation = samples.altered(observation, name, etcd=own)
    status = judged(observation)
    assert (status.etcd.quorum.voters, status.etcd.quorum.healthy) == (2, 2)
    assert "etcd has 2 voters, the inventory names 3" in status.problems


def test_a_worker_of_the_inventory_that_never_joined_is_a_problem():
    kubernetes = CONVERGED.reports["m1"].kubernetes.model_dump()
    kubernetes["nodes"] = [node for node in kubernetes["nodes"] if node["name"] != "w1"]
    observation = CONVERGED
    for name in ("m1", "m2", "m3"):
        observation = samples.altered(observation, name, kubernetes=kubernetes)
    assert not judged(observation).healthy


def test_data_that_differ_without_a_majority_for_either_are_told():
    """etcd's alarm names no member then: one of three was off, and the two others disagreed."""
    told = CONVERGED.reports["m1"].etcd
    status = told.status.model_dump(by_alias=True) | {"errors": ["alarm:CORRUPT "]}
    status = judged(samples.altered(CONVERGED, "m1", etcd=told.model_dump(by_alias=True) | {"status": status}))
    assert any("data differ and no majority says whose" in problem for problem in status.problems)
    assert not any("data are damaged," in problem for problem in status.problems)
