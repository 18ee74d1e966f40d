"""What is written to a host's disk."""

from __future__ import annotations

from haplane.lab.disk import hosts_file
from haplane.lab.nspawn.disk import files
from haplane.lab.plan import plan


def test_every_host_knows_all_hosts_and_gets_an_identity_of_its_own(small_lab) -> None:
    lab = plan(small_lab())
    written = [{each.path: each for each in files(lab, host)} for host in lab.hosts]
    assert "10.89.9.12 two\n" in hosts_file(lab)
    assert written[0]["/etc/hostname"].text == "one\n"
    assert written[0]["/etc/machine-id"].text != written[1]["/etc/machine-id"].text
    assert written[0]["/etc/sudoers.d/operator"].mode == 0o440
