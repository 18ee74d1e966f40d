"""What was executed, with arguments and environment: strace on a command of ours and on lab hosts' sshd."""

import subprocess
from contextlib import contextmanager

from haplane.lab.login import answers_on_port_22
from haplane.lab.nspawn.machine import Nspawn
from haplane.lab.plan import plan
from haplane.waiting import wait_until

OPTIONS = ("strace", "-f", "--seccomp-bpf", "-qq", "-e", "trace=execve", "-v", "-s", "200000")


@contextmanager
def watched(inventory, names, directory):
    """Everything that comes out of these hosts' sshd meanwhile, by host: a file each, complete afterwards.

    Their own sshd makes room for one that was started under strace: attached to, it would be many times slower.
    """
    files = {name: directory / f"{name}.strace" for name in names}
    hosts = {host.name: host for host in plan(inventory).hosts}
    tracers = []
    try:
        for name, path in files.items():
            inside(hosts[name], "systemctl stop ssh && mkdir -p /run/sshd")
            command = [*OPTIONS, "-o", path, *entering(hosts[name]), "/usr/sbin/sshd", "-D"]
            tracers.append(subprocess.Popen(command))
            wait_until(lambda name=name: answers_on_port_22(hosts[name]), 30, f"{name}'s sshd answers")
        yield files
    finally:
        for name in names:
            inside(hosts[name], "kill $(cat /run/sshd.pid); sleep 1; systemctl start ssh")
        for tracer in tracers:
            tracer.terminate()
            tracer.wait()


def entering(host):
    """The words before a command that is to run in the host, as a child of its own."""
    return ["nsenter", f"--target={Nspawn().process(host)}", "--mount", "--uts", "--ipc", "--net", "--pid"]


def inside(host, script):
    subprocess.run([*entering(host), "sh", "-c", script], check=True)
