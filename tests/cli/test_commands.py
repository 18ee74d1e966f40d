"""The commands themselves, as far as no host has to answer."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import samples
from click.shell_completion import ShellComplete
from click.testing import CliRunner

import haplane
from haplane.bundle.manifest import MANIFEST
from haplane.cli import main
from haplane.cli.main import GROUPS, cli

WITH_INVENTORY = [
    ["up"],
    ["up", "--dry-run"],
    ["status"],
    ["verify"],
    ["lab", "up"],
    ["lab", "down"],
    ["lab", "kill"],
    ["drill", "kill-master"],
]


def run(*arguments, **how):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments], **how)


@pytest.fixture
def inventory(tmp_path):
    """A sound inventory whose hosts are all switched off, and a bundle for it."""
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / MANIFEST).write_text(samples.manifest().model_dump_json())
    for file in samples.manifest().everything():
        (bundle / file.stored).write_bytes(b"x")
    known_hosts = str(tmp_path / "known_hosts")
    masters = [
        (f"m{number}", {"address": f"10.0.0.2{number}", "ssh_hostname": f"127.0.0.2{number}", "ssh_port": 9})
        for number in (1, 2, 3)
    ]
    cluster = {"name": "test", "endpoint": "127.0.0.30:9", "endpoint_is_external": True, "bundle": str(bundle)}
    cluster["kubernetes_version"] = samples.manifest().kubernetes_version
    path = tmp_path / "inventory.py"
    path.write_text(f"masters = ({masters!r}, {{'ssh_known_hosts_file': {known_hosts!r}}})\ncluster = {cluster!r}\n")
    return path


@pytest.fixture
def haplane_process(haplane_program):
    """As users run it, with gevent patched."""

    def run(*arguments, **streams):
        environment = {name: value for name, value in os.environ.items() if name != "SSH_AUTH_SOCK"}
        return haplane_program.run(*arguments, environment=environment, seconds=120, **streams)

    return run


def test_help_and_version():
    assert run("--version").output.strip() == f"haplane, version {haplane.__version__}"
    help_text = run("-h")
    assert help_text.exit_code == 0
    assert all(f"\n{task}:\n" in help_text.output for task in GROUPS)
    for name, summary in ((name, summary) for verbs in GROUPS.values() for name, summary in verbs.items()):
        assert f"\n  {name:8}  {summary}\n" in help_text.output, "one line each, in 80 columns"


def test_every_verb_is_in_the_help():
    modules = {path.stem for path in Path(main.__file__).parent.glob("*.py") if "def command" in path.read_text()}
    assert modules == set(cli.list_commands(None))


def completed(*words):
    *before, incomplete = words
    found = ShellComplete(cli, {}, "haplane", "_HAPLANE_COMPLETE").get_completions(before, incomplete)
    return {one.value: one.help for one in found}


def test_a_tab_completes_verbs_without_importing_them(monkeypatch):
    monkeypatch.setattr(main.importlib, "import_module", lambda name: pytest.fail(f"{name} was imported"))
    assert set(completed("s")) == {"status", "snapshot"}
    assert completed("rest") == {"restore": GROUPS["Backup"]["restore"]}
    assert set(completed("--")) == {"--version", "--help"}


def test_a_tab_completes_what_a_verb_takes():
    assert set(completed("certs", "r")) == {"renew"}
    assert set(completed("up", "--d")) == {"--dry-run", "--debug"}


@pytest.mark.parametrize("name", cli.list_commands(None))
def test_every_verb_explains_itself(name):
    result = run(name, "--help")
    assert result.exit_code == 0
    assert "Usage:" in result.output


def helps(command, *words):
    """The help of a command, and of those below it."""
    yield run(*words, "--help").output
    for name in getattr(command, "commands", ()):
        yield from helps(command.commands[name], *words, name)


def test_one_or_more_hosts_are_called_HOST_everywhere():  # noqa: N802
    found = [text for name in cli.list_commands(None) for text in helps(cli.get_command(None, name), name)]
    assert len(found) > 60
    assert sum("INVENTORY [HOST]..." in text for text in found) > 8
    assert not [text for text in found if "HOSTS" in text or "NAMES" in text]


def test_no_summary_in_a_list_of_commands_is_cut_short():
    found = [text for name in cli.list_commands(None) for text in helps(cli.get_command(None, name), name)]
    lines = [line for text in found for line in text.splitlines() if not line.startswith("Usage:")]
    assert [line for line in lines if line.endswith("...")] == []


def test_an_unknown_verb_is_bad_input():
    assert run("teleport").exit_code == 2


@pytest.mark.parametrize(
    ("words", "what", "where"),
    [
        ("status --json", "Missing argument 'INVENTORY'.", "haplane status"),
        ("certs renew x.py --teleport --json", "No such option '--teleport'.", "haplane certs renew"),
        ("--json certs", "No such option '--json'.", "haplane"),
        ("teleport --json", "No such command 'teleport'.", "haplane"),
        ("node drain --json x.py m1 --timeout nan", "Invalid value for '--timeout'", "haplane node drain"),
    ],
)
def test_with_json_a_command_line_that_cannot_be_parsed_is_one_document_too(haplane_process, words, what, where):
    done = haplane_process(*words.split())
    assert done.returncode == 2
    said = json.loads(done.stdout)
    assert said["error"].pop("what").startswith(what)
    assert said["error"] == {"where": where, "why": None, "next": f"see `{where} --help`", "problems": []}
    assert (said["exit_code"], said["log"]) == (2, None)
    assert f"Error: {what}" in done.stderr, "and people see what they always have"


@pytest.mark.parametrize("words", ["status", "status x.py y.py -- --json"])
def test_without_json_a_command_line_that_cannot_be_parsed_prints_no_document(haplane_process, words):
    done = haplane_process(*words.split())
    assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.parametrize("verb", WITH_INVENTORY, ids=" ".join)
def test_an_inventory_that_is_not_there_is_bad_input(verb, tmp_path):
    result = run(*verb, tmp_path / "missing.py")
    assert result.exit_code == 2
    assert str(tmp_path / "missing.py") in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize("verb", [["up"], ["status"], ["verify"], ["lab", "status"]], ids=" ".join)
def test_a_bad_inventory_is_one_json_document(verb, tmp_path):
    path = tmp_path / "bad.py"
    path.write_text("masters = ['m1', 'm2']\ncluster = {'name': 'x', 'endpoint': '10.0.0.10'}\n")
    result = run(*verb, path, "--json")
    assert result.exit_code == 2
    said = json.loads(result.stdout)
    assert said["exit_code"] == 2
    assert any("masters" in problem["what"] for problem in said["error"]["problems"])


def test_up_without_a_bundle_says_how_to_get_one_before_it_contacts_anybody(inventory):
    text = inventory.read_text().replace("/bundle'", "/no-bundle'")
    inventory.write_text(text)
    result = run("up", inventory)
    assert result.exit_code == 2
    assert "haplane bundle build" in result.stderr


def test_up_with_json_asks_no_questions(inventory):
    result = run("up", inventory, "--json")
    assert result.exit_code == 2
    assert "--yes" in json.loads(result.stdout)["error"]["next"]


@pytest.mark.parametrize("other", ["--json", "--check"])
def test_watch_is_for_people(inventory, other):
    assert run("status", inventory, "--watch", other).exit_code == 2


def test_up_with_every_host_down_changes_nothing(haplane_process, inventory):
    done = haplane_process("up", inventory, "--yes")
    assert done.returncode == 3
    assert "m1, m2, m3 cannot be reached; nothing was changed" in done.stderr
    assert "next:" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_status_with_every_host_down_is_a_whole_document(haplane_process, inventory):
    done = haplane_process("status", inventory, "--json")
    assert done.returncode == 6
    assert done.stderr == ""
    said = json.loads(done.stdout)
    assert said["healthy"] is False
    assert said["cluster"]["uid"] is None
    assert [master["reachable"] for master in said["masters"]] == [False, False, False]
    assert said["etcd"]["quorum"] == {"voters": 3, "healthy": 0, "needed": 2, "can_lose": 0}


def test_status_for_people_with_every_host_down(haplane_process, inventory):
    done = haplane_process("status", inventory)
    assert done.returncode == 6
    assert "NOT HEALTHY" in done.stdout
    assert done.stdout.count(": unreachable (") == 3


def test_status_check_prints_the_problems_alone(haplane_process, inventory):
    done = haplane_process("status", inventory, "--check")
    assert done.returncode == 6
    assert all(line.startswith("log: ") for line in done.stderr.splitlines())
    assert done.stdout
    assert all(line.startswith(("problem: ", "recovery: ", "  next: ")) for line in done.stdout.splitlines())


@pytest.mark.parametrize(("closed", "words", "code"), [(">&-", "", 0), ("2>&-", "", 0), ("2>&-", "foo", 2)])
def test_a_stream_that_is_closed_is_no_traceback(closed, words, code):
    command = f"exec {sys.executable} -m haplane bundle urls {words and '--kubernetes-version '}{words} {closed}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr


FULL = "haplane: the output cannot be written: No space left on device"


@pytest.mark.parametrize(
    ("full", "words", "code", "said"),
    [
        ("stdout", (), 1, FULL),
        ("stdout", ("--json",), 1, FULL),
        ("stderr", (), 0, ""),
        ("stderr", ("--kubernetes-version", "foo"), 2, ""),
    ],
)
def test_a_stream_that_takes_nothing_is_no_traceback(haplane_process, full, words, code, said):
    done = haplane_process("bundle", "urls", *words, **{full: "/dev/full"})
    assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
    assert said in done.stderr


@pytest.mark.parametrize(
    ("words", "advised"),
    [
        (("drill", "kill-master", None, "nosuch", "--yes"), "use one of m1, m2, m3\n"),
        (("up", None, "--without", "nosuch"), "use one of m1, m2, m3\n"),
        (("node", "reboot", None, "nosuch"), "use one of m1, m2, m3\n"),
        (("reset", None, "nosuch"), "use one of m1, m2, m3, or no HOST for all of them\n"),
        (("reset", None, "--confirm", "wrong"), "type test, or add --confirm test\n"),
        (("restore", None, "--file", "/nowhere"), "give an etcd snapshot"),
        (("snapshot", "verify", None, "nosuch"), "use latest, or one that `haplane snapshot list"),
        (("drill", "kill-master", None, "--json"), "add --yes\n"),
    ],
)
def test_what_is_named_wrongly_is_bad_input_before_any_host_is_contacted(inventory, words, advised):
    done = run(*(inventory if word is None else word for word in words))
    assert done.exit_code == 2, done.stderr
    assert f"\n  next: {advised}" in done.stderr
    assert "connecting" not in done.stderr
