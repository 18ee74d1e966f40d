"""A lab, and what its tests do with it: everything as a user would, by the command."""

import json
import os
import re
import subprocess
from pathlib import Path

import testinfra

from haplane.config.load import load_inventory
from haplane.remote.openssh import ssh_command
from haplane.streams import capture
from haplane.waiting import wait_until

ROOT = Path(__file__).parents[3]
INVENTORY = os.environ.get("HAPLANE_LAB", "inventories/lab.py")  # another lab of the same shape will do
COMMAND_SECONDS = 3600
ADMIN = "--kubeconfig=/etc/kubernetes/admin.conf"


class Lab:
    """By its inventory."""

    root = ROOT
    printed = None
    is_verified = False
    program = None
    """haplane with its imports behind it, for all labs; None between sessions."""

    def __init__(self, path=INVENTORY):
        self.path = path
        self.inventory = load_inventory(ROOT / path)
        self.masters = [host.name for host in self.inventory.masters]

    def command(self, *words):
        """`haplane` with these words, however it ends."""
        self.is_verified = False
        return self.program.run(*words, environment=os.environ, seconds=COMMAND_SECONDS)

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
            f"ssh://{ssh.user or 'root'}@{address[name]}?timeout=10",
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
        done = capture(command, script.encode(), deadline_seconds=COMMAND_SECONDS, marked=True)
        return subprocess.CompletedProcess(command, done.code, done.stdout.decode(), done.stderr.decode())

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
