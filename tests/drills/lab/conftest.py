"""One lab for all stories: made, or found, up and left up. Everything is done as a user would, by the command."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import testinfra
from soak_table import Rows, commit, write_line

from haplane.config.load import load_inventory
from haplane.lab.paths import client_key, known_hosts
from haplane.machines.lab import LabMachines
from haplane.remote.openssh import ssh_command
from haplane.waiting import wait_until

STORIES = Rows("stories")
ROOT = Path(__file__).parents[3]
INVENTORY = os.environ.get("HAPLANE_LAB", "inventories/lab.py")  # another lab of the same shape will do
ADMIN = "--kubeconfig=/etc/kubernetes/admin.conf"


class Lab:
    """The lab, and what its tests do with it."""

    root = ROOT
    printed = None
    is_verified = False

    def __init__(self, path=INVENTORY):
        self.path = path
        self.inventory = load_inventory(ROOT / path)
        self.machines = LabMachines(self.inventory)
        self.masters = [host.name for host in self.inventory.masters]

    def command(self, *words):
        """`haplane` with these words, however it ends."""
        self.is_verified = False
        command = [sys.executable, "-m", "haplane", *map(str, words)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    def haplane(self, *words, codes=(0,)):
        done = self.command(*words)
        said = f"{done.stdout}\n{done.stderr}"
        assert done.returncode in codes, f"haplane {' '.join(map(str, words))}: {done.returncode}\n{said}"
        return done.stdout

    def fails(self, *words, code):
        """What it says to people when it ends with this code."""
        done = self.command(*words)
        assert done.returncode == code, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done.stderr

    def status(self):
        verified = self.is_verified
        found = json.loads(self.haplane("status", self.path, "--json", codes=(0, 6)))
        self.is_verified = verified  # it only looks
        return found

    def verify(self, *words):
        """The checks, once all of them pass; a machine that has just come back may need a moment more."""
        failed = []

        def passing():
            found = json.loads(self.haplane("verify", self.path, *words, "--json", codes=(0, 6)))
            failed[:] = [check for check in found["checks"] if check["outcome"] == "failed"]
            return None if failed else found["checks"]

        found = wait_until(passing, 60, "every check passes", every=1.0, why=lambda: json.dumps(failed, indent=1))
        self.is_verified = True
        return found

    def drill(self, name, *words):
        return json.loads(self.haplane("drill", name, self.path, *words, "--yes", "--json", codes=(0, 6)))

    def host(self, name):
        """The machine through testinfra, by the inventory's own means of reaching it."""
        ssh = self.inventory.masters[0].ssh
        address = {
            **{host.name: host.address for host in self.inventory.hosts},
            **self.inventory.cluster.lab.extra_hosts,
        }
        return testinfra.get_host(
            f"ssh://{ssh.user}@{address[name]}?timeout=10",
            ssh_identity_file=ssh.key,
            ssh_extra_args=f"-o UserKnownHostsFile={ssh.known_hosts_file} -o StrictHostKeyChecking=yes",
        )

    def kubectl(self, *words, master=None):
        return self.host(master or self.masters[0]).check_output(
            "kubectl %s " + " ".join(["%s"] * len(words)), ADMIN, *words
        )

    def run(self, name, script):
        """A script on a host, as its standard input; its output, whether it succeeds or not."""
        self.is_verified = False
        command = ssh_command(self.inventory.host(name), "sh", "-e")
        return subprocess.run(command, input=script, capture_output=True, text=True, check=False)

    def join_command(self):
        """What `haplane up` printed, unless it printed none or another since: then any master makes one."""
        master = self.host(self.masters[0])
        token = re.search(r"--token (\w+)", self.printed or "")
        if token and token[1] in master.check_output("kubeadm token list"):
            return self.printed
        return master.check_output("kubeadm token create --print-join-command")

    def wait_until_healthy(self, seconds=180):
        seen = {}

        def healthy():
            seen.update(self.status())
            return seen["healthy"]

        wait_until(healthy, seconds, "the cluster is healthy", every=1.0, why=lambda: json.dumps(seen, indent=1))
        return seen


@pytest.fixture(scope="session")
def lab():
    made = Lab()
    made.haplane("lab", "up", INVENTORY)
    made.printed = json.loads(made.haplane("up", INVENTORY, "--yes", "--json"))["join_command"]
    return made


SMALL = """
_ssh = {{
    "ssh_user": "root",
    "ssh_key": "{key}",
    "ssh_known_hosts_file": "{known_hosts}",
    "ssh_strict_host_key_checking": "yes",
}}
masters = ([("s1", {{"address": "10.89.57.21"}})], _ssh)
workers = ([("w1", {{"address": "10.89.57.31"}})], _ssh)
cluster = {{
    "name": "small",
    "endpoint": "10.89.57.10:8443",
    "allow_single_master": True,
    "flannel_backend": "host-gw",
    "package_directory": "~/.cache/haplane/lab/packages",
    "tuning": "nested",
    "lab": {{
        "network": "10.89.57.0/24",
        "gateway": "10.89.57.1",
        "bridge": "haplane57",
        "extra_hosts": {{"jump": "10.89.57.5"}},
    }},
}}
"""


def _once_unless_soaking(fixture_name, config):
    """Soaks leave much behind and are seldom run; of the others each ends healthy, and the last in order."""
    return "session" if "not soak" in config.option.markexpr else "module"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """What has a lab of its own comes last, so that one such lab serves, and is up while nothing else is measured."""
    items.sort(key=lambda item: "small" in getattr(item, "fixturenames", ()))


@pytest.fixture(scope=_once_unless_soaking)
def small(tmp_path_factory):
    """A lab of its own for stories that need machines with nothing on them: one master, one worker."""
    path = tmp_path_factory.mktemp("small") / "small.py"
    path.write_text(SMALL.format(key=client_key(), known_hosts=known_hosts()))
    made = Lab(path)
    made.haplane("lab", "down", str(path))  # of a session that was killed
    made.haplane("lab", "up", str(path))
    yield made
    made.haplane("lab", "down", str(path))


@pytest.fixture(scope=_once_unless_soaking, autouse=True)
def ends_verified():
    """However the tests went, every check passes at the end."""
    used = []
    yield used
    if used and not used[0].is_verified:
        used[0].verify()


@pytest.fixture(autouse=True)
def ends_healthy(request, ends_verified):
    """However a test on the lab went, the cluster is healthy before the next one begins."""
    yield
    if "lab" in request.fixturenames:
        lab = request.getfixturevalue("lab")
        lab.wait_until_healthy()
        ends_verified[:] = [lab]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """What is too long for `make test` is noted where one can read when it was last seen."""
    report = yield
    soak = item.get_closest_marker("soak")
    if soak and (report.when == "call" or report.failed):
        file, _, story = item.nodeid.rpartition("/")[2].partition("::")
        where = " ".join((file, *soak.args))
        STORIES.keep({"case": f"{where}::{story}", "outcome": report.outcome, "seconds": round(report.duration)})
        rows = [row for row in STORIES.rows() if row["case"].startswith(f"{where}::") and row["commit"] == commit()]
        passed = sum(row["outcome"] == "passed" for row in rows)
        slowest = max(rows, key=lambda row: row["seconds"])
        worst = f"{slowest['seconds']} s: {slowest['case'].partition('::')[2].partition('[')[0]}"
        write_line(" ".join((f"`{file}`", *soak.args)), f"{passed} of {len(rows)} stories passed", worst)
    return report
