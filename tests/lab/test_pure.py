"""What the lab makes of what other programs print, and says when it cannot."""

from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path

import pytest

from haplane.errors import Refused
from haplane.lab.command import require_machine
from haplane.lab.disk import files, hosts_file
from haplane.lab.host import namespace_ids
from haplane.lab.image import choose_mirror
from haplane.lab.network import machine_networks
from haplane.lab.plan import plan
from haplane.lab.wires import parse_severed


def test_the_mirror_is_that_of_our_suite_else_debians_main_archive() -> None:
    ours = "bookworm main Debian http://mirror.test/debian/"
    newer = "trixie main Debian http://newer.test/debian/"
    security = "trixie-security main Debian http://newer.test/debian-security/"
    other = "noble main Ubuntu http://ubuntu.test/ubuntu/"
    assert choose_mirror(f"{newer}\n{ours}\n") == "http://mirror.test/debian/"
    assert choose_mirror(f"{security}\n{other}\n{newer}\n") == "http://newer.test/debian/"
    assert choose_mirror(f"{other}\n\n") is None


def test_a_pods_process_1_is_told_from_the_hosts() -> None:
    assert namespace_ids("Name:\tsystemd\nNSpid:\t4242\t1\nThreads:\t1\n") == ("4242", "1")
    assert namespace_ids("Name:\tpause\nNSpid:\t4300\t77\t1\n") == ("4300", "77", "1")
    assert namespace_ids("") == ()


def test_networks_of_this_machine() -> None:
    printed = (
        '[{"ifindex":1,"ifname":"lo","addr_info":[{"family":"inet","local":"127.0.0.1","prefixlen":8}]},{},'
        '{"ifname":"eth0","addr_info":[{"local":"192.0.2.2","prefixlen":24},{}]}]'
    ).replace(",{},", ",")
    assert machine_networks(printed) == [
        ("lo", IPv4Network("127.0.0.0/8")),
        ("eth0", IPv4Network("192.0.2.0/24")),
    ]


def test_wires_cut_in_nfts_words() -> None:
    printed = (
        '{"nftables": [{"metainfo": {"version": "1.0.6"}}, {"table": {"family": "bridge", "name": "t", "handle": 1}},'
        '{"set": {"family": "bridge", "name": "severed", "table": "t", "type": ["ifname", "ifname"], "handle": 2,'
        '"elem": [{"concat": ["a", "b"]}]}}]}'
    )
    assert parse_severed(printed) == [("a", "b")]
    assert parse_severed(printed.replace('"elem": [{"concat": ["a", "b"]}]', '"flags": []')) == []


def test_every_host_knows_all_hosts_and_gets_an_identity_of_its_own(small_lab) -> None:
    lab = plan(small_lab())
    written = [{each.path: each for each in files(lab, host)} for host in lab.hosts]
    assert "10.89.9.12 two\n" in hosts_file(lab)
    assert written[0]["/etc/hostname"].text == "one\n"
    assert written[0]["/etc/machine-id"].text != written[1]["/etc/machine-id"].text
    assert written[0]["/etc/sudoers.d/operator"].mode == 0o440


def test_a_missing_tool_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Refused) as refusal:
        require_machine()
    assert "systemd-nspawn" in refusal.value.what
    assert "systemd-container" in str(refusal.value.next_step)
