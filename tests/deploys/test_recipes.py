"""Each recipe against facts of a fresh host, then of a host that is as wanted: then nothing runs."""

import json
from typing import Any

import pytest
from fake_hosts import commands, on_hosts

from haplane.deploys import etcd_recipes, recipes
from haplane.domain import host_paths
from haplane.domain.files import Part, WantedFile
from haplane.domain.plan import MASTER_EVIDENCE

ME = "@fake/m1"
STATE, FILES, EXISTS = "StateChangeTimestampMonotonic", "stat.S_IMODE(os.stat(path)", 'test ! -e "$path" || echo'
UP = ["LoadState=loaded", "ActiveState=active", "UnitFileState=enabled", "NeedDaemonReload=no", "Outdated=no"]
FILE = WantedFile("/etc/containerd/config.toml", b"version = 3\n", Part.CONTAINERD)
PLACED = [json.dumps({FILE.path: [FILE.sha256, FILE.mode]})]

CASES: dict[str, tuple[Any, dict[str, Any], dict[str, list[str]], str]] = {
    "prepare_host": (
        recipes.prepare_host,
        {
            "packages_of": {ME: {"haproxy": "haproxy"}},
            "installer_of": {ME: "install_debian_packages"},
            "files_of": {ME: [FILE]},
            "package_directory": None,
        },
        {STATE: UP, FILES: PLACED},
        "apt-get",
    ),
    "start_runtime": (
        recipes.start_runtime,
        {"paths_of": {ME: [FILE.path]}},
        {STATE: UP},
        "systemctl start containerd.service",
    ),
    "start_kubelet": (
        recipes.start_kubelet, {"paths_of": {}}, {STATE: UP}, "systemctl start --no-block kubelet.service",
    ),
    "start_balancer": (
        recipes.start_balancer,
        {
            "paths_of": {"haproxy": {ME: ["/etc/haproxy/haproxy.cfg"]}, "keepalived": {ME: ["/etc/keepalived"]}},
            "changed_of": {},
        },
        {STATE: UP},
        "haproxy -c -q -f /etc/haproxy/haproxy.cfg",
    ),
    "place_sealed_keys": (recipes.place_sealed_keys, {"sealed": [FILE]}, {FILES: PLACED}, "base64 -d"),
    "schedule_snapshots": (
        recipes.schedule_snapshots,
        {"timer": "x.timer", "paths_of": {}},
        {STATE: UP},
        "systemctl start x.timer",
    ),
    "form_etcd": (
        etcd_recipes.form_etcd,
        {"drop_in": "new"},
        {EXISTS: [host_paths.ETCD_BOOTSTRAPPED]},
        "systemctl start",
    ),
    "initialise_master": (
        recipes.initialise_master,
        {"evidence": MASTER_EVIDENCE, "port": 6443},
        {EXISTS: list(MASTER_EVIDENCE)},
        "kubeadm init",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_first_run_acts_and_the_second_is_quiet(name):
    recipe, arguments, done, expected = CASES[name]
    assert any(expected in command for command in commands(recipe, {}, **arguments))
    assert commands(recipe, done, **arguments) == []


def test_a_worker_joins_and_keeps_no_token():
    token = "abcdef.0123456789abcdef"
    joining = WantedFile("/etc/kubernetes/haplane/join.yaml", token.encode(), Part.KUBELET, 0o600, secret=True)
    [ran] = commands(recipes.join_worker, {}, config_of={ME: joining})
    assert joining.path in ran
    assert token not in ran


def test_super_admin_conf_is_removed_once():
    path = host_paths.SUPER_ADMIN_KUBECONFIG
    assert commands(recipes.remove_super_admin, {EXISTS: [path]}, path=path) == [f"rm -f {path}"]
    assert commands(recipes.remove_super_admin, {}, path=path) == []


def test_hosts_without_keepalived_are_given_none():
    paths_of = {"haproxy": dict.fromkeys(("@fake/a", "@fake/b"), ["/x"]), "keepalived": {"@fake/b": ["/y"]}}
    ran = on_hosts(recipes.start_balancer, {"a": {}, "b": {}}, paths_of=paths_of, changed_of={})
    assert not any("keepalived" in command for command in ran["a"])
    assert any("start --no-block keepalived" in command for command in ran["b"])
    assert any("start --no-block haproxy" in command for command in ran["a"])


def test_a_packet_filter_that_was_flushed_is_loaded_again():
    paths_of = {"haplane-vrrp": {ME: ["/etc/haplane/vrrp.nft"]}}
    ran = commands(recipes.start_balancer, {STATE: UP}, paths_of=paths_of, changed_of={"haplane-vrrp": [ME]})
    assert ran[-1] == "systemctl reload-or-restart haplane-vrrp.service"


def test_every_host_gets_its_own_files_in_one_run():
    files_of = {f"@fake/{name}": [WantedFile("/etc/x", name.encode(), Part.HOST)] for name in ("a", "b")}
    there = json.dumps({"/etc/x": [files_of["@fake/b"][0].sha256, 0o644]})
    ran = on_hosts(
        recipes.prepare_host,
        {"a": {}, "b": {FILES: [there]}},
        packages_of={},
        installer_of={},
        files_of=files_of,
        package_directory=None,
    )
    assert len(ran["a"]) == 1
    assert ran["b"] == []


def test_members_that_are_down_are_started_and_running_ones_left_running():
    down = {STATE: ["LoadState=loaded", "ActiveState=inactive", "UnitFileState=enabled"]}
    assert "systemctl start --no-block etcd.service" in commands(etcd_recipes.start_etcd, down)
    *_, take_up, wait = running = commands(etcd_recipes.start_etcd, {STATE: UP})
    assert not any("systemctl start" in command for command in running)
    assert take_up.index("newermt") < take_up.index("wait_for 20") < take_up.index("systemctl restart")
    assert "restart" not in wait


def test_planned_restarts_end_in_a_wait():
    assert "until" in commands(etcd_recipes.restart_etcd, {STATE: UP})[-1]
    restart = {"port": 6443, "renew": ()}
    restarting, wait, controllers = commands(recipes.restart_control_plane, {}, **restart)
    assert "holderIdentity" in restarting
    assert "readyz" in wait
    assert "control_plane start" in controllers
