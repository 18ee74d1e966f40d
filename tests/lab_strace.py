"""What was executed, with arguments and environment: strace on a command of ours and on lab hosts' sshd."""

import subprocess
from contextlib import contextmanager
from pathlib import Path

from haplane.lab import cgroups
from haplane.lab.plan import plan
from haplane.waiting import wait_until

OPTIONS = ("strace", "-f", "-qq", "-e", "trace=execve", "-v", "-s", "200000")


def listener(inventory, name):
    """The id, on this machine, of the host's sshd that takes new connections."""
    [host] = plan(inventory).select([name])
    found = [process for process in cgroups.members(host.cgroup) if b"[listener]" in command_line(process)]
    assert len(found) == 1, f"{name} has {len(found)} sshds"
    return found[0]


def command_line(process):
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""


@contextmanager
def watched(inventory, names, directory):
    """Everything that comes out of these hosts' sshd meanwhile, by host: a file each, complete afterwards."""
    files = {name: directory / f"{name}.strace" for name in names}
    tracers = [
        subprocess.Popen([*OPTIONS, "-o", path, "-p", str(listener(inventory, name))]) for name, path in files.items()
    ]
    try:
        for name in names:
            wait_until(lambda name=name: traced(listener(inventory, name)), 20, f"{name}'s sshd is watched")
        yield files
    finally:
        for tracer in tracers:
            tracer.terminate()
            tracer.wait()


def traced(process):
    return "TracerPid:\t0\n" not in Path(f"/proc/{process}/status").read_text()
