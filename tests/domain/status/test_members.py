import samples
from statuses import status_of

from haplane.domain.assessment import RecoveryAction
from haplane.drills.drill import why_fatal

INVENTORY = samples.inventory()
CONVERGED = samples.converged(INVENTORY)


def test_a_member_that_is_a_cluster_of_its_own_is_named_and_not_counted():
    """Restored by hand with etcdutl it reads through its own quorum: it was healthy, and can_lose was 1."""
    status = status_of(INVENTORY, samples.restored_alone(CONVERGED, "m3"))
    assert status.lines == (
        "etcd member m3: it runs another etcd cluster (ID b) than the others (ID c1) (it was restored by itself, was "
        "off during a restore, or has another host's disk); fix: `haplane node repair inventories/test.py m3` "
        "discards its data and adds it to the others' cluster",
    )
    assert [member.healthy for member in status.etcd.members] == [True, True, False]
    assert [member.leader for member in status.etcd.members] == [True, False, False], "m3 leads itself alone"
    assert status.etcd.members[2].failure == "other_cluster"
    assert (status.etcd.quorum.healthy, status.etcd.quorum.can_lose) == (2, 0)
    assert status.recovery.members == ("m3",)
    assert status.recovery.command == "haplane node repair inventories/test.py m3"
    assert "without m1 1 would remain" in why_fatal(INVENTORY, status, "m1")
    assert why_fatal(INVENTORY, status, "m3") is None


def test_a_stopped_member_with_another_clusters_data_is_named_too():
    observation = samples.stopped(samples.restored_alone(CONVERGED, "m3"), "m3")
    assert any(
        one.startswith("etcd member m3: it holds the data of another etcd cluster (ID b) than the others (ID c1)")
        for one in status_of(INVENTORY, observation).lines
    )


def test_a_member_whose_own_host_drops_its_packets_is_not_told_to_be_restarted():
    observation = samples.stopped(CONVERGED, "m3")
    etcd = observation.reports["m3"].etcd.model_dump(by_alias=True) | {"cut_off": True}
    found = [
        one for one in status_of(INVENTORY, samples.altered(observation, "m3", etcd=etcd)).lines if "etcd m" in one
    ]
    assert found == [
        "etcd member m3: not healthy (its own host drops what is sent to port 2379); "
        "fix: see what drops packets: on m3: `nft list ruleset`"
    ]


def test_members_that_ask_for_users_have_their_quorum_and_nothing_to_restore():
    observation = CONVERGED
    for name in ("m1", "m2", "m3"):
        etcd = CONVERGED.reports[name].etcd.model_dump(by_alias=True)
        etcd |= {"reads_through_quorum": False, "denies": True}
        observation = samples.altered(observation, name, etcd=etcd)
    status = status_of(INVENTORY, observation)
    assert status.recovery.action is RecoveryAction.NOTHING
    found = [one for one in status.lines if "etcd" in one]
    assert [one.partition(" (")[0] for one in found] == [
        f"etcd member m{number}: not healthy" for number in (1, 2, 3)
    ]
    assert all("authentication is enabled" in one and " --user=root auth disable`" in one for one in found)


def test_a_learner_that_somebody_left_behind_is_named():
    observation = CONVERGED
    for name in ("m1", "m2", "m3"):
        etcd = CONVERGED.reports[name].etcd.model_dump(by_alias=True)
        ghost = {"ID": 99, "name": "", "peerURLs": ["https://10.0.0.99:2380"], "isLearner": True}
        observation = samples.altered(observation, name, etcd=etcd | {"members": [*etcd["members"], ghost]})
    (found,) = status_of(INVENTORY, observation).lines
    assert found.startswith("etcd lists a learner that is not in the inventory: https://10.0.0.99:2380")
    assert found.endswith("fix: `haplane up inventories/test.py`")


def separated(*, peers, started=0.0, down=()):
    observation = samples.stopped(CONVERGED, *down)
    for name, reached in peers.items():
        etcd = observation.reports[name].etcd.model_dump(by_alias=True) | {"reached_peers": reached}
        units = observation.reports[name].model_dump()["units"]
        units["etcd"] |= {"active_since": started}
        observation = samples.altered(observation, name, etcd=etcd, units=units)
    return [one for one in status_of(INVENTORY, observation).lines if "no connection" in one]


def test_members_that_serve_by_way_of_a_third_alone_are_named():
    """m3 leads, and both read through it: with it gone there is no quorum, and all was healthy."""
    assert separated(peers={"m1": ("2", "3"), "m2": ("1", "3"), "m3": ("1", "2")}) == []
    assert separated(peers=dict.fromkeys(("m1", "m2", "m3"))) == []
    parted = {"m1": ("3",), "m2": ("3",), "m3": ("1", "2")}
    (found,) = separated(peers=parted)
    assert found.startswith("etcd member m1: it has no connection to m2 (both serve by way of others")
    assert "port 2380: on m1: `nft list ruleset`, and the same on m2" in found
    assert separated(peers=parted, started=CONVERGED.reports["m1"].started_at - 10) == []
    assert separated(peers=parted, down=("m2",)) == [], "m2 is stopped, which is named"


def listed_elsewhere(url, **report):
    """As all members list m2."""
    observation = samples.converged(INVENTORY)
    for name in ("m1", "m2", "m3"):
        etcd = observation.reports[name].etcd.model_dump(by_alias=True)
        etcd["members"] = [one | ({"peerURLs": [url]} if one["name"] == "m2" else {}) for one in etcd["members"]]
        etcd["reached_peers"] = [one for one in ("1", "3") if one != name[1]]
        more = {"started_at": 1e6} | (report if name == "m2" else {})
        observation = samples.altered(observation, name, etcd=etcd, **more)
    return observation


def test_a_member_that_is_listed_where_it_is_not_is_no_matter_of_packet_filters():
    """Somebody gave `etcdctl member update` a wrong URL: `up` took m2 for a member that is not in the inventory."""
    observation = listed_elsewhere("https://192.0.2.9:2380")
    (line,) = status_of(INVENTORY, observation).lines
    assert line.startswith("etcd member m2: etcd lists it at https://192.0.2.9:2380, not at 10.0.0.22 (other members")
    assert "member update 2 --peer-urls=https://10.0.0.22:2380`" in line
    addresses = {"eth1": ["10.0.0.22", "192.0.2.9"]}
    observation = listed_elsewhere("https://192.0.2.9:2380", addresses=addresses)
    assert not any("etcd lists it at" in line for line in status_of(INVENTORY, observation).lines)
