from __future__ import annotations

from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haplane.config.load import load_inventory
from haplane.errors import BadInput
from haplane.lab.plan import LabHost, plan

NAMES = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?", fullmatch=True)


@given(lab=NAMES, host=NAMES, number=st.integers(min_value=0, max_value=2**32 - 1))
def test_every_name_fits_the_kernels_limits(lab: str, host: str, number: int) -> None:
    one = LabHost(lab, host, IPv4Address(number))
    assert len(one.port) <= 15
    assert len(one.machine) <= 64
    assert not int(one.hardware_address.split(":")[0], 16) & 1  # not a multicast address


@given(pairs=st.lists(st.tuples(NAMES, NAMES), min_size=2, max_size=2, unique=True))
def test_two_hosts_share_no_name(pairs: list[tuple[str, str]]) -> None:
    one, other = (LabHost(lab, host, IPv4Address(0)) for lab, host in pairs)
    assert one.port != other.port
    assert one.namespace != other.namespace
    assert one.cgroup != other.cgroup


def test_the_inventory_decides_what_a_host_is(small_lab) -> None:
    one, two = plan(small_lab()).hosts
    assert (one.name, one.interface, one.bare) == ("one", "eth1", False)
    assert (two.name, two.interface, two.bare) == ("two", "eth0", True)


def test_unknown_hosts_are_refused_by_name(small_lab) -> None:
    with pytest.raises(BadInput, match="no lab host is named three"):
        plan(small_lab()).select(["three"])


def test_an_inventory_of_real_machines_has_no_lab() -> None:
    with pytest.raises(BadInput, match="no lab"):
        plan(load_inventory("inventories/vagrant.py"))
