"""What `haplane node drain|uncordon|reboot|patch|remove` pass on, and what they print."""

import json

import pytest
import samples
from click.testing import CliRunner

from haplane.cli import node_service
from haplane.cli.main import cli
from haplane.context.result import Patched
from haplane.domain.drain.cost import Cost, Effect
from haplane.domain.drain.summary import NodeCost
from haplane.workflows.node import Outcome

COSTS = (NodeCost("w1", (Cost("default/bare", "u", Effect.LOST, ("no controller replaces it",)),)),)
PATCHED = {"w1": Patched(packages=("libc6 2",), rebooted=True)}


@pytest.fixture
def asked(monkeypatch):
    """What the workflow was asked for; it has done everything."""
    found = []

    def node(inventory, verb, names, asked, *, confirm, dry_run, progress):
        found.append((verb, tuple(names), asked))
        patched = PATCHED if verb == "patch" else {}
        seconds = {"w1": 12.34} if verb not in ("uncordon", "remove") else {}
        return Outcome(changed=True, plan=("w1: it",), costs=COSTS, seconds=seconds, patched=patched)

    monkeypatch.setattr(node_service.node, "node", node)
    monkeypatch.setattr(node_service, "load", lambda *_: samples.inventory(workers=1))
    return found


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "inventory.py"
    path.write_text('masters = []\nworkers = [\n    ("w1", {}),\n]\n')
    return str(path)


def run(*words):
    return CliRunner().invoke(cli, ["node", *words])


@pytest.mark.parametrize(
    ("verb", "says"),
    [
        ("drain", "w1: drained in 12 s"),
        ("uncordon", ""),
        ("reboot", "w1: rebooted in 12 s"),
        ("patch", "w1: 1 package upgraded, rebooted in 12 s"),
    ],
)
def test_what_was_done_is_told(asked, path, verb, says):
    done = run(verb, path, "w1", "--yes")
    assert done.exit_code == 0, done.output
    assert says in done.output
    assert [one[:2] for one in asked] == [(verb, ("w1",))]


def test_a_host_that_was_removed_is_to_be_deleted_from_its_line(asked, path):
    done = run("remove", path, "w1", "--yes", "--force")
    assert f"next: delete w1 in {path}:3" in done.output
    assert asked[0][2].force


def test_options_reach_the_workflow_and_the_list_is_in_the_document(asked, path):
    done = run("reboot", path, "--all", "--keep-pods", "--timeout", "7", "--yes", "--json")
    verb, names, request = asked[0]
    assert (verb, names, request.keep_pods, request.force, request.drain_seconds) == ("reboot", (), True, False, 7)
    [cost] = json.loads(done.stdout)["costs"][0]["pods"]
    assert (cost["pod"], cost["effect"]) == ("default/bare", "lost")


@pytest.mark.parametrize("words", [(), ("w1", "--all")])
def test_either_hosts_or_all_are_named(asked, path, words):
    done = run("reboot", path, *words, "--yes")
    assert done.exit_code == 2
    assert "give either HOST or --all" in done.output
    assert asked == []
