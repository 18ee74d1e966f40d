import pytest
import samples
from hypothesis import given
from hypothesis import strategies as st

from haplane import supported
from haplane.domain import versions
from haplane.domain.versions import Version, parse, refuse_unreadable_data
from haplane.errors import Refused

numbers = st.integers(0, 999)


@given(numbers, numbers, numbers)
def test_what_is_written_is_read_back(major: int, minor: int, patch: int) -> None:
    version = Version(major, minor, patch)
    assert parse(str(version)) == parse(f"v{version}") == version


@pytest.mark.parametrize("text", ["", "1.35", "1.35.4-rc.1", "1.35.4\n", "01.2.3", "1.٣.4", "vv1.2.3", "1.2.3.4"])
def test_what_is_no_version(text: str) -> None:
    with pytest.raises(ValueError, match="is not a version"):
        parse(text)


def test_order_and_support() -> None:
    assert parse("1.9.10") < parse("1.10.0") < parse("1.10.1")
    assert list(supported.VERSIONS) == sorted(map(str, map(parse, supported.VERSIONS)), key=parse)
    assert supported.DEFAULT_VERSION in supported.VERSIONS


def running(**versions_of: str) -> tuple[versions.Running, ...]:
    return tuple(versions.Running(host, "kubelet", version) for host, version in versions_of.items())


def test_what_masters_run_is_each_api_servers_manifest_and_the_kubelets_that_api_servers_know() -> None:
    observation = samples.converged(samples.inventory(workers=1))
    observation = samples.altered(observation, "m2", settings={"apiserver_version": "1.34.7"})
    nodes = observation.kubernetes().nodes  # type: ignore[union-attr]
    found = versions.running_versions(["m1", "m2", "m3"], observation.reports, nodes)
    assert [str(one) for one in found] == [
        "m1 kubelet 1.35.4", "m2 kube-apiserver 1.34.7", "m2 kubelet 1.35.4", "m3 kubelet 1.35.4",
    ]  # fmt: skip


@pytest.mark.parametrize("wanted", ["1.37.0", "1.36.0", "1.35.5", "1.35.3"])
def test_another_version_than_runs_is_refused_with_both(wanted: str) -> None:
    with pytest.raises(Refused, match=f"runs Kubernetes 1.35.4, the inventory wants {wanted}") as refusal:
        versions.refuse_another_version(running(m1="1.35.4", m2=wanted), wanted, "inventories/x.py")
    assert refusal.value.where == "m1 kubelet 1.35.4"
    assert refusal.value.next_step == "`haplane upgrade inventories/x.py`"


def test_the_same_version_and_none_yet_are_not_refused() -> None:
    versions.refuse_another_version(running(m1="1.35.4"), "1.35.4", "x")
    versions.refuse_another_version((), "1.35.4", "x")


def test_a_version_that_is_none_is_another_one() -> None:
    with pytest.raises(Refused, match="runs Kubernetes odd"):
        versions.refuse_another_version(running(m1="odd"), "1.35.4", "x")


def test_a_bundle_with_another_minor_version_of_etcd_is_refused() -> None:
    versions.refuse_another_etcd({"m1": "3.6.1", "m2": "", "m3": "odd"}, "3.6.16", "x")
    with pytest.raises(Refused, match="another etcd version than the bundle's 3.7.0"):
        versions.refuse_another_etcd({"m1": "3.6.16"}, "3.7.0", "x")


@pytest.mark.parametrize(
    ("stored_by", "fits"),
    [("1.35.4", True), ("1.35.9", True), ("1.34.1", True), (None, True), ("x", True), ("1.36.0", False),
     ("1.33.9", False), ("2.35.4", False)],
)  # fmt: skip
def test_a_snapshot_is_read_by_its_own_and_the_next_minor_version_only(stored_by, fits):
    """On new hosts nothing runs that could show which version the data are of."""
    if fits:
        return refuse_unreadable_data(stored_by, "1.35.4", "x", "lab.py")
    with pytest.raises(Refused, match="snapshot is of Kubernetes") as refusal:
        refuse_unreadable_data(stored_by, "1.35.4", "x", "lab.py")
    assert f'"{stored_by}"' in refusal.value.next_step
    return None


def test_going_back_over_several_versions_takes_a_word_of_its_own_and_a_newer_ones_data_is_never_read():
    refuse_unreadable_data("1.32.1", "1.35.4", "x", "lab.py", accept_old=True)
    with pytest.raises(Refused) as refusal:
        refuse_unreadable_data("1.36.0", "1.35.4", "x", "lab.py", accept_old=True)
    assert "--accept-loss" not in refusal.value.next_step
