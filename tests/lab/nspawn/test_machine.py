"""How a host's init is found."""

from __future__ import annotations

from haplane.lab.nspawn.machine import namespace_ids


def test_a_pods_process_1_is_told_from_the_hosts() -> None:
    assert namespace_ids("Name:\tsystemd\nNSpid:\t4242\t1\nThreads:\t1\n") == ("4242", "1")
    assert namespace_ids("Name:\tpause\nNSpid:\t4300\t77\t1\n") == ("4300", "77", "1")
    assert namespace_ids("") == ()
