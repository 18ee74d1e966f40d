"""Load balancers that know no master, or not all, and masters' way to etcd on other hosts."""

from dataclasses import replace

import pytest
import samples
from statuses import status_of

from haplane.domain import host_paths
from haplane.domain.observed import LeftOut, Observation
from haplane.domain.problem import UP, problem
from haplane.domain.status import Certificates, summarise
from haplane.domain.status.endpoint import endpoint_problems
from haplane.observation.health import roster

INVENTORY = samples.inventory()
CONVERGED = samples.converged(INVENTORY)
EXTERNAL = samples.inventory(etcd=3)


def serving(inventory, name, servers):
    observation = samples.converged(inventory)
    balancer = observation.reports[name].balancer.model_dump() | {"servers": servers}
    return samples.altered(observation, name, balancer=balancer)


def server(name, status="UP", backend="apiservers"):
    return {"backend": backend, "name": name, "status": status}


def without(observation, *names):
    return Observation(
        reports={name: report for name, report in observation.reports.items() if name not in names},
        unreachable=dict.fromkeys(names, "timed out"),
    )


def test_one_that_was_left_out_has_its_own_remedy_and_may_hold_the_address():
    """In every later look too, though whatever is tried on it then fails in its own words."""
    left_out = {"lb1": LeftOut("its haproxy serves something else too", "move it to another host")}
    for observation in (CONVERGED, without(CONVERGED, "lb1")):
        found = status_of(INVENTORY, observation.without(left_out)).lines
        why, fix = (
            "its haproxy serves something else too",
            "move it to another host; then `haplane up inventories/test.py`",
        )
        assert list(found) == [f"lb1: left out ({why}); fix: {fix}"]


@pytest.mark.parametrize(("accepts", "named"), [(None, False), (True, False), (False, True)])
def test_a_load_balancer_that_takes_no_connections_could_not_take_over(accepts, named):
    """`disable frontend endpoint` on the one without the address: all was healthy."""
    balancer = CONVERGED.reports["lb2"].balancer.model_dump() | {"accepts": accepts}
    lines = status_of(INVENTORY, samples.altered(CONVERGED, "lb2", balancer=balancer)).lines
    assert [line.partition(" (")[0] for line in lines] == [
        "lb2: its haproxy takes no connections to the endpoint's port"
    ] * named


@pytest.mark.parametrize(
    ("known", "missing"),
    [
        (("m1", "m2", "m3"), ()),
        (("m1", "m3"), ("m2",)),
        (("old1", "old2"), ("m1", "m2", "m3")),
        ((), ("m1", "m2", "m3")),
    ],
)
def test_each_ready_master_that_a_load_balancer_does_not_know_is_a_problem(known, missing):
    """lb2 was off while all masters were replaced, and its haproxy came back with those that are gone."""
    status = status_of(INVENTORY, serving(INVENTORY, "lb2", [server(name) for name in known]))
    assert status.lines == tuple(
        f"lb2 sends nothing to {name} (its haproxy runs with a configuration that does not name this master); "
        "fix: `haplane up inventories/test.py`"
        for name in missing
    )


def test_a_master_that_is_not_ready_is_not_missed():
    observation = serving(INVENTORY, "lb2", [server("m1"), server("m2")])
    observation = samples.altered(observation, "m3", apiserver={"ready": False})
    (found,) = status_of(INVENTORY, observation).lines
    assert found.startswith("m3: its API server is not ready")


@pytest.mark.parametrize(
    ("found", "why"),
    [
        ([server("e2", "DOWN", "etcd")], "its server is DOWN there"),
        ([server("e2", "DRAIN", "etcd")], "its server is DRAIN there"),
        ([server("e2", "UP")], "haproxy's configuration does not name it"),
        ([server("e2", "UP 1/4", "etcd")], None),
    ],
)
def test_a_member_that_a_masters_haproxy_does_not_reach_is_a_problem(found, why):
    """Its API server has only this way to etcd: with two of three unreachable the next failure ends it."""
    servers = [server("e1", backend="etcd"), *found, server("e3", backend="etcd")]
    problems = status_of(EXTERNAL, serving(EXTERNAL, "m2", servers)).lines
    assert [one.partition("; fix")[0] for one in problems] == (
        [f"m2: its haproxy does not reach etcd member e2 ({why})"] if why else []
    )


def test_a_member_that_does_not_serve_is_named_once():
    observation = samples.stopped(serving(EXTERNAL, "m2", [server("e1", backend="etcd")]), "e2", "e3")
    assert not any("haproxy" in one for one in status_of(EXTERNAL, observation).lines)


@pytest.mark.parametrize("name", ["lb1", "lb2"])
def test_a_load_balancer_that_could_not_be_inspected_is_unknown_and_nothing_else(name):
    """nft was late: its haproxy was not responding, and nobody held the address."""
    nothing = {"holds_endpoint": False, "endpoint_answers": False, "servers": None}
    failed = {"balancer": "nft did not end within 5 s"}
    assert status_of(INVENTORY, samples.altered(CONVERGED, name, balancer=nothing, failed=failed)).lines == (
        f"{name}: its balancer cannot be inspected (nft did not end within 5 s); fix: on {name}: `uptime; df -h; "
        "dmesg | tail` shows whether it is overloaded, full or broken",
    )


def test_an_address_that_a_silent_load_balancer_may_hold_is_not_missing():
    """Nothing is said of two that are silent; of one that responds, what it says."""
    holding = "holds the endpoint's address"
    everyone = CONVERGED
    silent = without(everyone, "lb1", "lb2")
    assert not [one for one in status_of(INVENTORY, silent).lines if holding in one]
    free = everyone.reports["lb2"].balancer.model_dump() | {"holds_endpoint": False}
    one = without(samples.altered(everyone, "lb2", balancer=free), "lb1")
    (found,) = (line for line in status_of(INVENTORY, one).lines if holding in line)
    assert found == (
        f"no load balancer that responds {holding} (one that does not respond may hold it); "
        "fix: bring back lb1, then `haplane up inventories/test.py`"
    )


def test_load_balancers_that_reach_no_master_have_that_cause_alone():
    """keepalived gives the address up there, and is in the state FAULT for no reason of its own."""
    cut = CONVERGED
    for name in ("lb1", "lb2"):
        lost = [server(master, "DOWN") for master in ("m1", "m2", "m3")]
        balancer = {"holds_endpoint": False, "vrrp": "FAULT", "servers": lost}
        cut = samples.altered(cut, name, balancer=CONVERGED.reports[name].balancer.model_dump() | balancer)
    found = status_of(INVENTORY, cut).lines
    assert [one.partition(" (")[0] for one in found] == [
        f"{name} sends nothing to {master}" for name in ("lb1", "lb2") for master in ("m1", "m2", "m3")
    ]
    (found,) = endpoint_problems(roster(INVENTORY), cut)
    assert "`curl -vk" in found.fix


def test_an_endpoint_whose_address_nobody_holds_has_that_cause_and_command():
    nobody = CONVERGED
    for name in ("lb1", "lb2"):
        balancer = CONVERGED.reports[name].balancer.model_dump() | {"holds_endpoint": False}
        nobody = samples.altered(nobody, name, balancer=balancer)
    (found,) = endpoint_problems(roster(INVENTORY), nobody)
    assert found == problem(found.what, why="no load balancer holds its address", fix=UP)
    (found,) = endpoint_problems(roster(INVENTORY), without(nobody, "lb1"))
    assert "`curl -vk" in found.fix, "lb1 may hold it"


@pytest.mark.parametrize(("clients", "named"), [([], False), ([5, 500000], False), ([9, 10], True)])
def test_a_haproxy_that_takes_no_more_connections_is_named(clients, named):
    """`set maxconn frontend endpoint 10`: it was UP, and new connections waited."""
    balancer = CONVERGED.reports["lb1"].balancer.model_dump() | {"clients": clients}
    found = status_of(INVENTORY, samples.altered(CONVERGED, "lb1", balancer=balancer)).lines
    assert len(found) == named
    for line in found:
        assert line.startswith(
            "lb1: haproxy has nearly as many connections to the endpoint as it takes: others wait (9"
        )
        assert line.endswith("fix: on lb1: `systemctl restart haproxy`")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"vrrp": "FAULT"}, ["lb2: keepalived is in the state FAULT"]),
        ({"vrrp": "BACKUP"}, []),
        ({"vrrp": "FAULT", "accepts": False}, ["lb2: its haproxy takes no connections"]),
    ],
)
def test_a_keepalived_that_runs_and_could_not_take_over(changes, named):
    """Its check may not run, or its interface was lost for a moment: the other one holds the address."""
    balancer = CONVERGED.reports["lb2"].balancer.model_dump() | changes
    found = status_of(INVENTORY, samples.altered(CONVERGED, "lb2", balancer=balancer)).lines
    assert len(found) == len(named)
    assert all(line.startswith(name) for line, name in zip(found, named, strict=True))


def judged_with_changed(path, observation):
    """As `status` judges where that file of both load balancers is not as haplane writes it."""
    changed = {name: (path,) for name in ("lb1", "lb2")}
    certificates = Certificates(None, None)
    return summarise(
        replace(roster(INVENTORY), changed=changed),
        observation,
        endpoint_answers=False,
        certificates=certificates,
        now=samples.NOW,
    ).lines


def test_what_somebody_edited_comes_before_packet_filters():
    """Another virtual_router_id, another port behind the endpoint: status sent people to look for dropped packets."""
    balancer = CONVERGED.reports["lb2"].balancer.model_dump() | {"holds_endpoint": True}
    lines = judged_with_changed(host_paths.KEEPALIVED_CONF, samples.altered(CONVERGED, "lb2", balancer=balancer))
    (both,) = (line for line in lines if "both hold" in line)
    assert "on lb1 /etc/keepalived/keepalived.conf is not as haplane writes it" in both
    assert both.endswith("fix: `haplane up inventories/test.py`")
    lines = judged_with_changed(
        host_paths.HAPROXY_CFG, serving(INVENTORY, "lb1", [server("m1", "DOWN"), server("m2"), server("m3")])
    )
    assert len(lines) == 2
    for line in lines:
        assert "on lb1 /etc/haproxy/haproxy.cfg is not as haplane writes it" in line
        assert line.endswith("fix: `haplane up inventories/test.py`")


def test_an_altered_check_of_haproxy_is_no_check():
    """`chmod -x /etc/keepalived/haproxy-accepts`: all looked well, and no address would have moved."""
    lines = judged_with_changed(host_paths.KEEPALIVED_CHECK, CONVERGED)
    altered = [line for line in lines if "keepalived may keep the endpoint's address when haproxy fails" in line]
    assert [line.partition(":")[0] for line in altered] == ["lb1", "lb2"]
    assert "/etc/keepalived/haproxy-accepts is not as haplane writes it" in altered[0]
    assert altered[0].endswith("fix: `haplane up inventories/test.py`")
