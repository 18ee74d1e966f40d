"""No operation is given up while its script may still say what it waits for."""

import re
from pathlib import Path
from typing import Any

import pytest
from fake_hosts import commands
from pyinfra.connectors.fake import FakeConnector
from script_deadlines import DEADLINES, longest_wait

from haplane import operations, scripts
from haplane.deploys import etcd_recipes, recipes, restore, rotation, upgrade

NODES = ["m1", "m2", "m3"]
LABELS = {name: ["zone=a"] for name in NODES}
APPLIED = {
    "manifest": "",
    "patch": "",
    "applied": "",
    "proxy": "",
    "dns": "",
    "dns_address": "",
    "port": 6443,
    "restart": (),
}

RUN: list[tuple[Any, dict[str, Any]]] = [
    (recipes.take_out_control_plane, {}),
    (recipes.stop_control_plane, {}),
    (recipes.let_boot_start, {}),
    (recipes.delete_node, {"node": "w1"}),
    (recipes.replace_pods, {"node": "w1", "namespace": "n", "daemonset": "d", "selector": "a=b"}),
    (recipes.connect_pods, {}),
    (recipes.bind_kubelet_admin, {}),
    (recipes.serve_kubelet, {}),
    (recipes.initialise_master, {"evidence": ("/etc/x",), "port": 6443}),
    (recipes.apply_cluster, {**APPLIED, "content_is_ours": True, "nodes": NODES}),
    (recipes.label_masters, {"nodes": NODES, "run_pods": True, "labels": LABELS}),
    (recipes.label_made, {"nodes": NODES, "labels": LABELS}),
    (recipes.put_back_control_plane, {"port": 6443}),
    (recipes.wait_for_controllers, {}),
    (recipes.restart_controller, {"component": "kube-scheduler"}),
    (recipes.restart_control_plane, {"port": 6443, "renew": ("apiserver",)}),
    (recipes.wait_for_apiserver, {"port": 6443}),
    (recipes.configure_kubelet, {}),
    (recipes.wait_for_nodes, {"nodes": NODES, "dns_everywhere": True}),
    (etcd_recipes.hand_over, {}),
    (etcd_recipes.remove_member, {"member": "1f"}),
    (etcd_recipes.add_learner, {"member": "m2", "peer_url": "https://192.0.2.2:2380"}),
    (etcd_recipes.start_learner, {"drop_in": "existing"}),
    (etcd_recipes.promote_learner, {"member": "1f"}),
    (etcd_recipes.clear_alarms, {}),
    (etcd_recipes.compact_etcd, {}),
    (etcd_recipes.form_etcd, {"drop_in": "new"}),
    (etcd_recipes.start_etcd, {}),
    (etcd_recipes.restart_etcd, {}),
    (etcd_recipes.forbid_bootstrap, {}),
    (etcd_recipes.defragment_etcd, {}),
    (restore.stop_serving, {}),
    (restore.start_restored, {}),
    (restore.wait_for_control_planes, {"port": 6443}),
    (rotation.note_served, {"port": 6443}),
    (upgrade.wait_for_node, {"node": "m1", "version": "v1.35.4"}),
    (upgrade.restart_node, {"runtime": False}),
    (upgrade.wait_for_rollouts, {"workloads": ["n/deployment/a", "n/daemonset/b"], "seconds": 60}),
]


@pytest.fixture(scope="module")
def ran():
    """Each recipe's scripts, and the seconds after which pyinfra would have given them up; and the scripts' names."""
    found: list[tuple[str, str, int]] = []
    names = set()
    execute = FakeConnector.run_shell_command

    def executed(self, command, *words, **arguments):
        text = command if isinstance(command, str) else getattr(command.bits[-1], "obj", "")
        if text.startswith("set -eu\n"):
            found.append((recipe.__name__, text, arguments["_timeout"]))
        return execute(self, command, *words, **arguments)

    def named(name, words=None, /, **variables):
        names.add(name)
        return scripts.script(name, words, **variables)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FakeConnector, "run_shell_command", executed)
        patch.setattr(operations.run, "script", named)
        for recipe, arguments in RUN:
            commands(recipe, {}, **arguments)
    return found, names


def test_a_timeout_is_above_the_sum_of_its_scripts_deadlines(ran):
    """Given up at 90 s, a wait of 60 s whose last try takes 40 left its reason unsaid, and kubectl running."""
    waits = [(name, longest_wait(text), timeout) for name, text, timeout in ran[0]]
    assert [wait for wait in waits if wait[1] >= wait[2]] == []


def test_every_operation_whose_script_waits_is_among_them(ran):
    sources = "".join(path.read_text() for path in Path(operations.__file__).parent.glob("*.py"))
    for name in set(re.findall(r'shell\(\s*"(\w+)"', sources)) - ran[1]:
        uses = re.search(r"^# uses: (.*)$", (scripts.DIRECTORY / f"{name}.sh").read_text(), re.M)
        assert not uses or not DEADLINES.keys() & set(uses[1].split()), name


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ('wait_for 60 "it is there" api 20 get node\n', 80),
        ("persistent_api 0 wait --timeout=90s node/m1\n", 150),
        ('once() {\n    api 20 create |\n        api 20 apply\n}\nwait_for 60 "it is" once\n', 100),
        ("set -- 'm1' 'm2' 'm3'\nfor node in \"$@\"; do\n    api 20 get $node\ndone\n", 60),
        ("if api 1 get; then\n    api 20 get\nelse\n    api 30 get\nfi\n", 31),
        ("deadline=$(($(date +%s) + 120))\nuntil api 20 apply; do\n    sleep 1\ndone\n", 140),
        ("control_plane start 90 kube-scheduler\ncontrol_plane stop 60 kube-apiserver\n", 390),
        ("seconds='70'\nlocal_etcdctl \"$seconds\" get x && local_apiserver /readyz 2\n", 72),
    ],
)
def test_deadlines_are_summed_as_a_shell_would_wait(text, seconds):
    assert longest_wait(text) == seconds
