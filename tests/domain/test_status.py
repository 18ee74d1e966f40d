import dataclasses
import json
from datetime import timedelta

import pytest
import samples
from statuses import status_of

from haplane.desired.hosts import units
from haplane.domain.assessment import RecoveryAction
from haplane.domain.host_paths import APISERVER_CRT, KUBELET_KUBECONFIG
from haplane.domain.observed import Observation
from haplane.domain.status import (
    Certificate,
    Certificates,
    Renewer,
    Roster,
    certificate_problems,
    passing_problems,
    summarise,
    summarise_certificates,
)
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
    ssh={"m2": "-i /root/key -p 2222 admin@10.1.0.2"},
)
UP = "fix: `haplane up INVENTORY`"
CONVERGED = samples.converged(INVENTORY)


UNSERVED = (
    "the endpoint 10.0.0.10:6443 is not ready (API servers are ready, but the way to them is not); "
    "fix: `curl -vk https://10.0.0.10:6443/readyz` shows where a connection ends"
)


def certificate(days_left, path="/etc/etcd/pki/server.crt", host="m1", by=Renewer.UP, **more):
    when = samples.NOW + timedelta(days=days_left)
    return Certificate(host, path, "CN=m1", "CN=etcd-ca", when, days_left, by, **more)


def judged(observation, *, endpoint_answers=True, days_left=300.0, roster=ROSTER):
    certificates = summarise_certificates([] if days_left is None else [certificate(days_left)])
    return summarise(
        roster, observation, endpoint_answers=endpoint_answers, certificates=certificates, now=samples.NOW
    )


def silenced(*names):
    reports = {name: report for name, report in CONVERGED.reports.items() if name not in names}
    return Observation(reports=reports, unreachable=dict.fromkeys(names, "timed out"))


def test_a_cluster_whose_nodes_nobody_tells_is_not_called_healthy():
    silent = CONVERGED
    for name in ("m1", "m2", "m3"):
        silent = samples.altered(silent, name, kubernetes=None)
    status = judged(silent)
    assert not status.healthy
    assert any("the cluster's nodes are unknown" in problem for problem in status.lines)


def test_a_certificate_that_nothing_starts_with_again_is_named_while_its_server_runs_on():
    known = CONVERGED.reports["m3"].certificates
    damaged = samples.altered(CONVERGED, "m3", certificates={**known, APISERVER_CRT: "", KUBELET_KUBECONFIG: ""})
    (problem,) = judged(damaged).lines
    assert problem == (
        f"m3: {APISERVER_CRT} cannot be used: what needs it will not start again "
        "(it cannot be read, or its key does not match it); fix: `haplane up INVENTORY`"
    )


def test_a_kubeconfig_that_is_of_no_use_is_named_with_why():
    why = "its key does not match its certificate"
    broken = samples.altered(CONVERGED, "m3", unusable={"/etc/kubernetes/admin.conf": why, KUBELET_KUBECONFIG: why})
    assert judged(broken).lines == tuple(
        f"m3: {path} cannot be used ({why}); {UP}" for path in ("/etc/kubernetes/admin.conf", KUBELET_KUBECONFIG)
    )


def test_json_has_problems_as_the_lines_that_people_read():
    status = judged(samples.altered(CONVERGED, "m3", unusable={"/etc/kubernetes/admin.conf": "it is empty"}))
    line = f"m3: /etc/kubernetes/admin.conf cannot be used (it is empty); {UP}"
    assert json.loads(json.dumps(status.document()))["problems"] == [line]


def test_a_healthy_cluster():
    status = judged(CONVERGED)
    assert status.healthy
    assert status.lines == ()
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
        "db_in_use_bytes", "quota_bytes", "alarms", "failure", "unknown",
    }  # fmt: skip
    assert set(document["etcd"]["quorum"]) == {"voters", "healthy", "needed", "can_lose"}
    assert set(document["load_balancers"][0]) == {
        "name", "reachable", "haproxy", "holds_endpoint", "adverts_filtered",
    }  # fmt: skip
    assert set(document["snapshots"]) == {
        "interval_seconds", "last_taken_at", "last_verified_at", "age_seconds", "pipeline_seconds", "rpo_seconds",
        "local", "remote", "members",
    }  # fmt: skip
    assert set(document["certificates"]) == {
        "expires_first", "days_left", "file", "expired", "expiring", "authorities", "foreign", "flawed",
    }  # fmt: skip
    assert document["cluster"]["uid"] == "cluster-1"


def test_one_master_down_leaves_quorum_and_says_what_is_lost():
    status = judged(silenced("m2"))
    assert not status.healthy
    assert status.etcd.quorum.can_lose == 0
    said = "\n".join(status.lines)
    login = "`ssh -v -i /root/key -p 2222 admin@10.1.0.2`"
    assert f"m2: unreachable (timed out); fix: power it on; {login} shows how far a connection gets" in said
    assert "etcd member m2: not healthy (its host is unreachable); fix: power m2 on; if it is lost for good: " in said
    assert "no quorum" not in said
    assert status.cluster.uid == "cluster-1"


def test_two_masters_down_is_no_quorum():
    observation = silenced("m1", "m2")
    member = CONVERGED.reports["m3"].etcd.model_dump(by_alias=True) | {"reads_through_quorum": False}
    status = judged(samples.altered(observation, "m3", etcd=member), endpoint_answers=False)
    assert (status.etcd.quorum.healthy, status.etcd.quorum.needed, status.etcd.quorum.can_lose) == (0, 2, 0)
    (line,) = (one for one in status.lines if one.startswith("etcd has no quorum: 0 of 3 healthy, 2 needed"))
    assert line.endswith("; fix: switch on m1, m2, then `haplane up INVENTORY`")


@pytest.mark.parametrize("blind", [("m1",), ("m1", "m2"), ("m1", "m2", "m3")])
def test_members_that_could_not_be_asked_are_unknown_and_no_lost_quorum(blind):
    """sudo without /usr/local/bin in its path, as some distributions have it."""
    why = "it could not be run"
    observation = CONVERGED
    for name in blind:
        nothing = samples.document()["etcd"]
        observation = samples.altered(
            observation, name, etcd=nothing, failed={"etcd": why}, lacks={"etcd": "etcdctl"}
        )
    status = judged(observation)
    assert status.lines == (
        *(
            f"{name}: its etcd cannot be inspected ({why}); fix: install etcdctl, or copy it from another host: "
            f"on {name}: `type -a etcdctl`"
            for name in blind
        ),
        *(
            f"etcd member {name}: unknown (its host could not query it); fix: run `haplane status INVENTORY` again "
            "once its host can be inspected"
            for name in blind
        ),
    )
    assert [member.unknown for member in status.etcd.members] == [name in blind for name in ("m1", "m2", "m3")]


def test_a_member_that_reads_through_quorum_shows_that_there_is_one():
    status = judged(silenced("m2", "m3"))
    assert not [problem for problem in status.lines if "no quorum" in problem]


def test_every_host_down_still_says_which():
    status = judged(silenced(*CONVERGED.reports), endpoint_answers=False)
    assert [master.reachable for master in status.masters] == [False, False, False]
    assert sum(": unreachable (" in problem for problem in status.lines) == 6
    assert status.cluster.uid is None


def test_before_up_nothing_is_claimed():
    observation = samples.fresh(INVENTORY)
    status = summarise(
        ROSTER, observation, endpoint_answers=False, certificates=Certificates(None, None), now=samples.NOW
    )
    assert not status.healthy
    assert status.etcd.quorum.healthy == 0
    assert not any(master.ready or master.apiserver_ready for master in status.masters)
    assert any(one.startswith("the endpoint 10.0.0.10:6443 is not ready (no API") for one in status.lines)


@pytest.mark.parametrize(
    ("holders", "words"), [((), "no load balancer holds"), (("lb1", "lb2"), "lb1 and lb2 both hold")]
)
def test_the_address_is_held_exactly_once(holders, words):
    observation = CONVERGED
    for name in ("lb1", "lb2"):
        servers = [{"backend": "apiservers", "name": "m1", "status": "UP"}]
        state = {"holds_endpoint": name in holders, "endpoint_answers": False, "servers": servers}
        observation = samples.altered(observation, name, balancer=state)
    assert [problem for problem in judged(observation).lines if words in problem]


def test_a_load_balancer_that_takes_adverts_of_anybody_is_a_problem():
    balancer = CONVERGED.reports["lb2"].balancer.model_dump() | {"adverts_filtered": False}
    assert judged(samples.altered(CONVERGED, "lb2", balancer=balancer)).lines == (
        "lb2: VRRP adverts of any host reach keepalived (the nftables table haplane_vrrp was removed); "
        "fix: `haplane up INVENTORY`",
    )


def test_a_silent_haproxy_an_endpoint_not_ready_and_a_certificate_soon_gone_are_problems():
    state = {"holds_endpoint": False, "endpoint_answers": False, "servers": None}
    observation = samples.altered(CONVERGED, "lb2", balancer=state)
    assert judged(observation, endpoint_answers=False, days_left=2.0).lines == (
        "lb2: haproxy is not responding (it is running, but its admin socket does not respond); "
        "fix: on lb2: `systemctl restart haproxy`",
        UNSERVED,
        "m1:/etc/etcd/pki/server.crt expires in 2 days; fix: `haplane up INVENTORY`",
    )


@pytest.mark.parametrize(
    ("days", "problems"),
    [
        (31.0, ()),
        (29.0, ("m1:/etc/etcd/pki/server.crt expires in 29 days; fix: `haplane up INVENTORY`",)),
        (
            -3.0,
            ("1 certificate has expired on m1 (m1:/etc/etcd/pki/server.crt); fix: `haplane up INVENTORY`",),
        ),
        (None, ()),
    ],
)
def test_a_month_before_a_certificate_expires_it_is_named(days, problems):
    status = judged(CONVERGED, days_left=days)
    assert status.lines == problems
    assert passing_problems(status, ()) == (), "no waiting helps"


def test_where_twenty_have_expired_all_hosts_are_named_and_one_command():
    found = [
        certificate(-38.0, path, host)
        for host in ("m1", "m2", "m3")
        for path in ("/etc/etcd/pki/server.crt", "/etc/etcd/pki/peer.crt", "/etc/kubernetes/admin.conf")
    ]
    found.append(certificate(-38.0, "/var/lib/kubelet/pki/kubelet-client-current.pem", "w1", Renewer.KUBELET))
    [said] = certificate_problems(summarise_certificates(found), "x.py")
    assert str(said) == (
        "10 certificates have expired on m1, m2, m3, w1 (of etcd, the control plane, kubelets); fix: "
        "`haplane up x.py`"
    )


def test_who_does_not_renew_a_certificate_is_not_told_to():
    soon = [
        certificate(12.0, "/var/lib/kubelet/pki/kubelet-client-current.pem", "w1", Renewer.KUBELET),
        certificate(13.0, "/etc/kubernetes/pki/mine.crt", "m1", Renewer.NOBODY),
        certificate(100.0, "/etc/kubernetes/pki/ca.crt", "m1", Renewer.NOBODY, is_authority=True),
        certificate(-1.0, "/var/lib/kubelet/pki/kubelet.crt", "w1", Renewer.NOBODY, counts=False),
    ]
    kubelet, mine, authority = map(str, certificate_problems(summarise_certificates(soon)))
    assert "journalctl -u kubelet" in kubelet
    assert "not renewed automatically" in mine
    assert authority.startswith("the CA m1:/etc/kubernetes/pki/ca.crt expires in 100 days")
    assert summarise_certificates(soon).file.startswith("w1:")


@pytest.mark.parametrize("off", [("m1",), ("m1", "m2"), ("m1", "m2", "m3")])
def test_members_that_are_down_because_their_certificates_expired_need_no_repair_and_no_restore(off):
    observation = CONVERGED
    for name in off:
        member = CONVERGED.reports[name].etcd.model_dump(by_alias=True)
        down = member | {"status": None, "members": None, "reads_through_quorum": False}
        observation = samples.altered(observation, name, etcd=down)
    expired = summarise_certificates([certificate(-38.0, host=name) for name in off])
    status = summarise(ROSTER, observation, endpoint_answers=True, certificates=expired, now=samples.NOW)
    assert status.recovery.action.startswith("renew the members' expired certificates")
    assert status.recovery.members == off


def test_an_endpoint_that_only_the_clusters_own_network_reaches_is_ready():
    heard = CONVERGED.reports["m3"].balancer.model_dump() | {"endpoint_ready": True}
    one = samples.altered(CONVERGED, "m2", balancer=heard)
    assert judged(one, endpoint_answers=False).lines == (UNSERVED,)
    assert judged(samples.altered(one, "m3", balancer=heard), endpoint_answers=False).lines == ()


@pytest.mark.parametrize("name", ["m3", "w1"])
def test_a_node_that_gets_no_connection_to_the_endpoint_is_named_though_it_is_ready(name):
    """A master's kubelet asks its own API server, its kube-proxy the endpoint."""
    given = samples.inventory(workers=1)
    observation = samples.converged(given)
    cut_off = observation.reports[name].balancer.model_dump() | {
        "endpoint_unreached": "https://10.0.0.10:6443: timed out"
    }
    found = status_of(given, samples.altered(observation, name, balancer=cut_off)).lines
    assert found == (
        f"{name}: it gets no connection to the endpoint: its kube-proxy learns of no change of services "
        f"(https://10.0.0.10:6443: timed out); fix: on {name}: `curl -vk https://10.0.0.10:6443/readyz` shows where "
        "a connection ends",
    )


def test_what_could_not_be_looked_at_is_said():
    observation = samples.altered(CONVERGED, "m1", failed={"images": "KeyError('x')"})
    assert judged(observation).lines == (
        "m1: its images cannot be inspected (KeyError('x')); fix: on m1: `uptime; df -h; dmesg | tail` shows whether "
        "it is overloaded, full or broken",
    )


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("lb2", "keepalived"),
        ("lb2", "haplane-vrrp"),
        ("lb2", "haproxy"),
        ("m2", "etcd"),
        ("m2", "kubelet"),
        ("w1", "containerd"),
    ],
)
@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"active": False}, f"is not running; {UP}"),
        ({"active": False, "masked": True}, f"is not running (it is masked); {UP}"),
        ({"enabled": False}, f"is disabled: it would not start at boot; {UP}"),
        (
            {"missing_program": "/usr/local/bin/x"},
            f"would not start again (its program /usr/local/bin/x is missing or not executable); {UP}",
        ),
        (None, f"is not running (it is not installed); {UP}"),
    ],
)
def test_redundancy_that_is_gone_is_not_healthy(name, unit, state, words):
    found = {key: one.model_dump() for key, one in CONVERGED.reports[name].units.items()}
    found |= {unit: found[unit] | state} if state else {}
    if state is None:
        del found[unit]
    assert judged(samples.altered(CONVERGED, name, units=found)).lines == (f"{name}: {unit} {words}",)


def test_a_unit_that_fails_again_and_again_says_why():
    """Swap that was turned on later, a cgroup driver, a disk: the kubelet says it, and status did not."""
    found = {key: one.model_dump() for key, one in CONVERGED.reports["m2"].units.items()}
    found["kubelet"] |= {"active": False, "starting": True, "why": "running with swap on is not supported"}
    assert judged(samples.altered(CONVERGED, "m2", units=found)).lines == (
        "m2: kubelet is not running (running with swap on is not supported);"
        " fix: `journalctl -u kubelet -n 50` on m2 shows the rest",
    )


UNREACHED = (
    "lb1 sends nothing to m2 (DOWN, though its API server is ready); fix: see what drops packets: on lb1: "
    "`curl -k https://10.0.0.22:6443/readyz`"
)


@pytest.mark.parametrize(
    ("backend", "server", "state", "problems"),
    [
        ("apiservers", "m2", "UP", ()),
        ("apiservers", "m2", "UP 1/2", ()),
        ("apiservers", "m2", "DRAIN", (f"lb1 sends nothing to m2 (DRAIN); {UP}",)),
        ("apiservers", "m2", "DOWN", (UNREACHED,)),
        ("apiservers", "m2", "no check", (f"lb1 does not check m2 (no check); {UP}",)),
        ("etcd", "m2", "DRAIN", ()),
        ("apiservers", "m3", "DOWN", ()),
    ],
)
def test_a_ready_master_that_a_load_balancer_does_not_use_is_a_problem(backend, server, state, problems):
    others = [one for one in samples.servers(INVENTORY, INVENTORY.host("lb1")) if one["name"] != server]
    servers = [*others, {"backend": "apiservers", "name": server, "status": "UP"}] if backend == "etcd" else others
    servers = [*servers, {"backend": backend, "name": server, "status": state}]
    balancer = CONVERGED.reports["lb1"].balancer.model_dump() | {"servers": servers}
    observation = samples.altered(CONVERGED, "lb1", balancer=balancer)
    observation = samples.altered(observation, "m3", apiserver={"ready": False})
    first, *others = judged(observation).lines
    assert first.startswith("m3: its API server is not ready")
    assert tuple(others) == problems


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
    assert tuple(one.partition(";")[0] for one in judged(observation).lines if "CoreDNS" in one) == problems


def test_pods_that_nothing_can_run_are_a_problem_with_its_cause():
    """A full disk is a taint: the nodes stay Ready, running pods run, and nothing new is ever placed."""
    observation = CONVERGED
    for name in ("m1", "m2", "m3"):
        told = observation.reports[name].kubernetes.model_dump() | {"coredns_ready": 1, "coredns_why": "0/3 nodes"}
        first, second, *others = told["nodes"]
        first |= {"pressures": ["DiskPressure", "NetworkUnavailable"]}
        told["nodes"] = [first, second | {"pressures": ["MemoryPressure"], "ready": False}, *others]
        observation = samples.altered(observation, name, kubernetes=told)
    found = judged(observation).lines
    disk = next(line for line in found if line.startswith("m1: short of disk space"))
    assert "DiskPressure is true: no new pods are placed there, and pods are evicted" in disk
    assert disk.endswith(
        "fix: on m1: `du -xh --max-depth=3 $(findmnt -no TARGET -T /var) | sort -h | tail` shows what fills it"
    )
    assert any(
        line.startswith("m1: without a pod network (its condition NetworkUnavailable is true") for line in found
    )
    assert not any("MemoryPressure" in line for line in found)
    assert any(
        one.startswith("only 1 CoreDNS pod is ready: without it pods cannot resolve names (0/3") for one in found
    )


def test_coredns_that_crashes_names_the_command_that_shows_why():
    why = "crashes repeatedly: coredns last ended Error, exit 1, 7 restarts"
    observation = CONVERGED
    for name in ("m1", "m2", "m3"):
        told = observation.reports[name].kubernetes.model_dump() | {"coredns_ready": 0, "coredns_why": why}
        observation = samples.altered(observation, name, kubernetes=told)
    (found,) = (one for one in judged(observation).lines if "CoreDNS" in one)
    assert f"({why}); fix: `kubectl --namespace=kube-system logs --selector=k8s-app=kube-dns --previous`" in found


def test_coredns_that_is_stopped_names_the_command_that_has_it_go_on():
    observation = samples.altered(CONVERGED, "m2", condition={"stopped": [{"program": "coredns", "process": 4711}]})
    for name in ("m1", "m2", "m3"):
        told = observation.reports[name].kubernetes.model_dump() | {"coredns_ready": 0, "coredns_why": "not ready"}
        observation = samples.altered(observation, name, kubernetes=told)
    found = [one for one in judged(observation).lines if "CoreDNS" in one or "coredns" in one]
    assert all(one.endswith("fix: on m2: `kill -CONT 4711`") for one in found)
    assert any("(it is stopped on m2)" in one for one in found)


def test_a_probe_that_failed_claims_nothing_else():
    """Neither that a unit is stopped, nor that a member has no data: a restore would be the wrong advice."""
    observation = CONVERGED
    nothing = {
        "bootstrapped": False,
        "has_data": False,
        "status": None,
        "members": None,
        "reads_through_quorum": False,
    }
    for name in ("m1", "m2", "m3"):
        failed = {"units": "systemctl did not end within 5 s", "etcd": "etcdctl did not end within 5 s"}
        observation = samples.altered(observation, name, failed=failed, units={}, etcd=nothing)
    status = judged(observation)
    assert not any("is not running" in problem for problem in status.lines if problem.startswith("m"))
    assert status.recovery.action is RecoveryAction.REACH


def test_a_learner_has_no_vote():
    member = CONVERGED.reports["m1"].etcd.model_dump(by_alias=True)
    member["members"] = [one | {"isLearner": one["name"] == "m3"} for one in member["members"]]
    observation = CONVERGED
    for name in ("m1", "m2", "m3"):
        own = observation.reports[name].etcd.model_dump(by_alias=True) | {"members": member["members"]}
        observation = samples.altered(observation, name, etcd=own)
    status = judged(observation)
    assert (status.etcd.quorum.voters, status.etcd.quorum.healthy) == (2, 2)
    assert any(
        one.startswith("etcd has 2 voters, the inventory has 3 (m3 is still a learner, which has no vote); fix: ")
        for one in status.lines
    )


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
    observation = CONVERGED
    for name in ("m1", "m2"):
        etcd = told.model_dump(by_alias=True) | {"status": status}
        observation = samples.altered(observation, name, etcd=etcd)
    status = judged(observation)
    assert any("data differ and there is no majority to decide whose" in problem for problem in status.lines)
    assert not any("its data is damaged (" in problem for problem in status.lines)


FULL_DISK = (
    '{"level":"fatal","msg":"failed to commit tx",'
    '"error":"write /var/lib/etcd/member/snap/db: no space left on device",'
    '"stacktrace":"go.etcd.io/etcd/server/v3/storage/mvcc.(*watchableStoreTxnWrite).End"}'
)


def failing(name, *words, free_mib=0, observation=CONVERGED):
    """Its etcd ends again and again with these last words."""
    etcd = CONVERGED.reports[name].etcd.model_dump(by_alias=True)
    etcd |= {"status": None, "members": None, "reads_through_quorum": False, "last_words": list(words)}
    units = CONVERGED.reports[name].model_dump()["units"]
    units["etcd"] |= {"active": False, "starting": True}
    leftovers = {"etcd_free_bytes": free_mib << 20}
    return samples.altered(observation, name, etcd=etcd, units=units, leftovers=leftovers)


def test_a_full_disk_under_one_member_is_named_as_that_and_nothing_else():
    status = judged(failing("m3", FULL_DISK))
    [problem] = [problem for problem in status.lines if problem.startswith("etcd member m3")]
    assert problem == (
        "etcd member m3: its disk is full (failed to commit tx: write /var/lib/etcd/member/snap/db: no space left on "
        "device; 0 MiB free at /var/lib/etcd); fix: make room on m3: `du -xh --max-depth=3 "
        "$(findmnt -no TARGET -T /var/lib/etcd) | sort -h | tail` shows what fills it; "
        "etcd starts by itself and keeps its data"
    )
    assert not any("damaged" in problem or "repair" in problem for problem in status.lines)
    assert "repair" not in status.recovery.action
    assert [member.failure for member in status.etcd.members] == [None, None, "disk_full"]
    assert status.etcd.quorum.healthy == 2


def with_space(*errors, size=1 << 20, in_use=1 << 19, quota=2 << 30):
    """Every member with a database like this, and etcd's alarms as every member reports them."""
    found = CONVERGED
    for name in ROSTER.etcd:
        etcd = CONVERGED.reports[name].etcd.model_dump(by_alias=True)
        etcd["status"] |= {"errors": errors, "dbSize": size, "dbSizeInUse": in_use, "dbSizeQuota": quota}
        found = samples.altered(found, name, etcd=etcd)
    return found


def test_out_of_space_is_no_lost_quorum():
    """NOSPACE: reads, quorum and API servers work; who reads "no quorum" would restore."""
    status = judged(with_space("memberID:1 alarm:NOSPACE ", size=49 << 20, in_use=3 << 20, quota=48 << 20))
    assert (status.etcd.quorum.healthy, status.etcd.quorum.can_lose) == (3, 1)
    assert all(member.healthy for member in status.etcd.members)
    assert [member.alarms for member in status.etcd.members] == [("NOSPACE",), (), ()]
    assert status.lines == (
        "etcd is out of space (alarm NOSPACE): it serves reads and refuses writes "
        "(m1 49 of 48 MiB, 3 MiB in use, m2 49 of 48 MiB, 3 MiB in use, m3 49 of 48 MiB, 3 MiB in use); "
        "fix: `haplane up INVENTORY` compacts and defragments it; if it fills up again, raise "
        'cluster["etcd"]["quota_backend_bytes"]',
    )
    assert "haplane restore" not in " ".join(status.lines)


@pytest.mark.parametrize(
    ("size", "in_use", "fix"),
    [
        (81, 80, 'raise cluster["etcd"]["quota_backend_bytes"], then `haplane up INVENTORY`'),
        (81, 20, "`haplane up INVENTORY` defragments it"),
        (79, 79, None),
    ],
)
def test_a_database_near_its_quota_is_warned_of_in_time(size, in_use, fix):
    problems = judged(with_space(size=size << 20, in_use=in_use << 20, quota=100 << 20)).lines
    assert len(problems) == (3 if fix else 0)
    assert all(f"{size} of 100 MiB, {in_use} MiB in use" in one and one.endswith(f"fix: {fix}") for one in problems)


def test_a_drop_in_that_is_not_haplanes_is_named_and_so_is_the_quota_it_sets():
    roster = dataclasses.replace(ROSTER, etcd_quota_bytes=2 << 30)
    units = CONVERGED.reports["m2"].model_dump()["units"]
    path = "/etc/systemd/system/etcd.service.d/quota.conf"
    ours, every = (
        "/run/systemd/system/etcd.service.d/haplane-bootstrap.conf",
        "/run/systemd/system/service.d/lxc.conf",
    )
    units["etcd"]["drop_ins"] = [path, ours, every]
    found = samples.altered(with_space(quota=48 << 20), "m2", units=units)
    status = judged(found, roster=roster)
    assert status.notes == (f"m2: {path} changes etcd's unit, and is not haplane's",)
    assert [problem for problem in status.lines if "m2" in problem] == [
        f"etcd member m2: its quota is 48 MiB, the inventory's 2048 MiB ({path}); "
        'fix: remove the drop-in or change cluster["etcd"]["quota_backend_bytes"], then `haplane up INVENTORY`'
    ]
    assert judged(with_space(), roster=roster).lines == ()


@pytest.mark.parametrize(
    ("status", "why"), [("HTTP 403", "has no rights there"), ("HTTP 401", "does not trust the CA")]
)
def test_kubelets_that_refuse_api_servers_are_named_together(status, why):
    observation = CONVERGED
    for name in ("m1", "m2"):
        told = observation.reports[name].kubernetes.model_dump()
        told["nodes"] = [node | {"refuses": status} for node in told["nodes"]]
        observation = samples.altered(observation, name, kubernetes=told)
    (line,) = judged(observation).lines
    assert line.startswith("m1, m2, m3")
    assert "kubelets refuse API servers' requests: logs and exec of their pods fail" in line
    assert why in line


@pytest.mark.parametrize(
    ("rejects", "fix"),
    [
        ("HTTP 429", "super-admin.conf get flowschemas,prioritylevelconfigurations` shows what rejects them"),
        ("HTTP 500", UP.removeprefix("fix: ")),
        ("", UP.removeprefix("fix: ")),
    ],
)
def test_api_servers_that_reject_an_administrator_are_named_with_what_they_answer(rejects, fix):
    """A priority level without room: `up` can do nothing about that."""
    observation = CONVERGED
    for name in ("m1", "m2", "m3"):
        apiserver = {"ready": True, "rejects": rejects}
        observation = samples.altered(observation, name, kubernetes=None, workloads=None, apiserver=apiserver)
    (line,) = (line for line in judged(observation).lines if "nodes are unknown" in line)
    assert line.endswith(fix) or f"{fix}, unless it passes" in line
    assert rejects in line
