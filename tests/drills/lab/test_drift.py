"""What somebody changed by hand is found, named and mended, all of it at once; the second run has nothing to do."""

import base64
import getpass
import json
import os
import subprocess
import time
from datetime import UTC, datetime
from ipaddress import IPv4Address

import pytest
from interruptions import LOCKED
from other_run import Controller

from haplane.desired.files import certificate_names
from haplane.pki.cluster_identity import IDENTITY_PATHS, ClusterIdentity
from haplane.pki.issue import Usage, issue
from haplane.remote.openssh import read_files, ssh_command
from haplane.waiting import wait_until

pytestmark = pytest.mark.lab

ETCDCTL = (
    "etcdctl --endpoints=https://127.0.0.1:2379 --cacert=/etc/etcd/pki/ca.crt "
    "--cert=/etc/etcd/pki/healthcheck-client.crt --key=/etc/etcd/pki/healthcheck-client.key"
)
ASK_HAPROXY = """python3 -c '
import socket, sys
for line in sys.argv[1:]:
    admin = socket.socket(socket.AF_UNIX)
    admin.connect("/run/haplane-haproxy/admin.sock")
    admin.sendall(line.encode() + b"\\n")
    admin.recv(100)' """
KUBECTL = "kubectl --kubeconfig=/etc/kubernetes/admin.conf"

BY_HAND = {
    "m1": f"""
rm /etc/kubernetes/manifests/kube-controller-manager.yaml
{KUBECTL} label node m1 node.kubernetes.io/exclude-from-external-load-balancers-
{KUBECTL} taint node m3 node-role.kubernetes.io/control-plane:NoSchedule-
""",
    "m2": """
systemctl disable -q etcd
echo '# by hand' >> /etc/containerd/config.toml
cp /usr/local/bin/kubelet /root/kubelet && printf x >> /root/kubelet
mv /root/kubelet /usr/local/bin/kubelet && systemctl restart kubelet
sed -i 's/^rotateCertificates:.*/rotateCertificates: false/' /var/lib/kubelet/config.yaml
""",
    "m3": """
systemctl stop kubelet
sed -i 's/profiling=false/profiling=true/' /etc/kubernetes/manifests/kube-scheduler.yaml
""",
    "lb1": f"""
sed -i '/server m3 /d' /etc/haproxy/haproxy.cfg && systemctl reload haproxy
sleep 1
{ASK_HAPROXY} 'set server apiservers/m2 state drain'
""",
    "lb2": f"""
systemctl stop keepalived
systemctl disable -q haproxy
{ASK_HAPROXY} 'disable health apiservers/m1'
""",
}
EXPECTED = (
    "m1: run kubeadm's phases (1 of 8 files missing)",
    "m1, m3: set labels and taints (to match the inventory)",
    "m3: start the kubelet (kubelet is stopped)",
    "m2: start etcd (etcd is disabled)",
    "m2: write files (/etc/containerd/config.toml)",
    "m2: start the container runtime (containerd: its files changed)",
    "m2: push binaries (1 files differ)",
    "m2: start the kubelet (kubelet: its binary differs)",
    "m2: reconfigure the kubelet (/var/lib/kubelet/config.yaml edited)",
    "/etc/kubernetes/manifests/kube-scheduler.yaml edited",
    "lb1: write files (/etc/haproxy/haproxy.cfg)",
    "lb1: start the load balancer (haproxy: its files changed)",
    "lb1: undrain servers (apiservers/m2)",
    "lb2: start the load balancer (keepalived is stopped)",
    "lb2: start the load balancer (haproxy is disabled)",
    "lb2: undrain servers (apiservers/m1)",
)

SETTLED_SECONDS = 5
DIGEST = """
import hashlib, os, subprocess
moving = ("/var/lib/etcd", "/var/lib/containerd", "/var/lib/kubelet/", "/var/lib/cni", "/var/lib/systemd")
whole = hashlib.sha256()
for root in ("/etc", "/var/lib", "/usr/local/bin", "/opt"):
    for directory, names, files in sorted(os.walk(root)):
        names.sort()
        for name in sorted(files):
            path = os.path.join(directory, name)
            if path.startswith(moving):
                continue
            status = os.lstat(path)
            facts = [path, status.st_mode, status.st_uid, status.st_size, status.st_mtime_ns, status.st_ctime_ns]
            whole.update(repr(facts).encode())
            if status.st_size < 1 << 20 and not os.path.islink(path):
                whole.update(open(path, "rb").read())
print(whole.hexdigest())
wanted = "--property=Id,ActiveState,UnitFileState,MainPID,ActiveEnterTimestampMonotonic"
units = ["containerd", "kubelet", "etcd", "haproxy", "keepalived"]
print(subprocess.run(["systemctl", "show", wanted, *units], stdout=subprocess.PIPE).stdout.decode())
for process in sorted(filter(str.isdigit, os.listdir("/proc")), key=int):
    try:
        name, _, rest = open("/proc/" + process + "/stat").read().partition(" (")[2].rpartition(") ")
    except OSError:
        continue
    if name.startswith(("etcd", "kube", "containerd", "haproxy", "keepalived", "flanneld", "coredns")):
        print(name, process, rest.split()[19])
"""


def on(lab, name, script):
    done = lab.run(name, f"set -e\n{script}")
    assert done.returncode == 0, f"{name}: {done.stdout}\n{done.stderr}"
    return done.stdout


def looks(lab):
    """What a host's files, units and processes look like, by host."""
    return {host.name: on(lab, host.name, f"python3 - <<'END'\n{DIGEST}\nEND") for host in lab.inventory.hosts}


def settled(lab):
    """How the hosts look once nothing comes or goes any more: pods take seconds to leave."""
    seen = looks(lab)
    time.sleep(SETTLED_SECONDS)
    return None if changes(seen, looks(lab)) else seen


def changes(before, after):
    """The lines that differ, by host."""
    lines = {name: sorted(set(before[name].splitlines()) ^ set(after[name].splitlines())) for name in before}
    return {name: found for name, found in lines.items() if found}


def dry_run(lab):
    return json.loads(lab.haplane("up", lab.path, "--dry-run", "--json"))["plan"]


def up(lab):
    return json.loads(lab.haplane("up", lab.path, "--yes", "--json"))


def nothing_to_do(lab):
    found = up(lab)
    assert found["plan"] == []
    assert found["changed"] is False


def mended(lab, expected):
    """The plan names it, a dry run shows the same and touches nothing, and once it is mended nothing is left."""
    before = wait_until(lambda: settled(lab), 60, "the hosts have taken up what was changed by hand")
    shown = dry_run(lab)
    assert changes(before, looks(lab)) == {}
    for words in expected:
        assert any(words in line for line in shown), f"{words!r} is not in\n" + "\n".join(shown)
    done = up(lab)
    assert done["plan"] == shown
    assert done["status"]["healthy"], done["status"]["problems"]
    nothing_to_do(lab)


def test_every_change_by_hand_is_found_named_and_mended(lab):
    nothing_to_do(lab)
    for name, script in reversed(BY_HAND.items()):  # m1 last: its part stops what others ask
        on(lab, name, script)
    mended(lab, EXPECTED)
    taints = lab.kubectl("get", "nodes", "--output=jsonpath={.items[*].spec.taints}", master="m2")
    assert taints.count("node-role.kubernetes.io/control-plane") == 3
    assert "rotateCertificates: true" in on(lab, "m2", "cat /var/lib/kubelet/config.yaml")
    assert "profiling=false" in on(lab, "m3", "cat /etc/kubernetes/manifests/kube-scheduler.yaml")
    assert "(deleted)" not in on(lab, "m2", "readlink /proc/$(pgrep -x kubelet)/exe")


def test_while_another_run_has_the_lock_it_is_shown_and_left(lab, tmp_path):
    """And mended within seconds once that run was killed."""
    on(lab, "m1", f"{KUBECTL} taint node m3 node-role.kubernetes.io/control-plane:NoSchedule-")
    before = wait_until(lambda: settled(lab), 60, "nothing comes or goes on the hosts")
    other = Controller(lab.inventory, tmp_path)
    try:
        assert other.says() == "held"
        told = lab.fails("up", lab.path, "--yes", code=LOCKED)
        assert f"by {getpass.getuser()} on {os.uname().nodename} since 20" in told
        assert "`haplane up theirs.py`" in told
        shown = dry_run(lab)
        assert any("set labels and taints" in line for line in shown)
        assert lab.status()["healthy"]
        assert "control-plane:NoSchedule is missing" in lab.haplane("verify", lab.path, codes=(6,))
        assert changes(before, looks(lab)) == {}
        other.do("shell true")
        assert other.says() == "done", "it had the lock all the while"
    finally:
        other.kill()

    def unlocked():
        done = lab.command("up", lab.path, "--yes", "--json")
        return None if done.returncode == LOCKED else done

    done = wait_until(unlocked, 10, "the killed run's lock is free")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["plan"] == shown


def expiring(lab, authority, name, usages, **names):
    """A leaf that ends in ten days, and its key, both PEM."""
    leaf = issue(authority, name, usages=usages, now=datetime.now(UTC), days=10, **names)
    return leaf.certificate, leaf.private_key


def place(lab, name, path, content):
    command = ssh_command(lab.inventory.host(name), "sh", "-c", 'umask 077 && cat > "$1"', "sh", path)
    subprocess.run(command, input=content, check=True)


@pytest.mark.soak
def test_certificates_about_to_expire_are_issued_anew_and_taken_up(lab):
    nothing_to_do(lab)
    master = lab.inventory.masters[0]
    identity = ClusterIdentity.from_files(read_files(master, IDENTITY_PATHS))
    both, client = (Usage.SERVER, Usage.CLIENT), (Usage.CLIENT,)
    address = lab.inventory.host("m1").address
    names = {"dns_names": ("m1", "localhost"), "addresses": (IPv4Address("127.0.0.1"), address)}
    for leaf in ("server", "peer"):
        certificate, key = expiring(lab, identity.etcd, "m1", both, **names)
        place(lab, "m1", f"/etc/etcd/pki/{leaf}.crt", certificate)
        place(lab, "m1", f"/etc/etcd/pki/{leaf}.key", key)
    certificate, key = expiring(lab, identity.etcd, "kube-apiserver-etcd-client", client)
    place(lab, "m2", "/etc/kubernetes/pki/apiserver-etcd-client.crt", certificate)
    place(lab, "m2", "/etc/kubernetes/pki/apiserver-etcd-client.key", key)
    on(lab, "m2", "chmod 644 /etc/kubernetes/pki/apiserver-etcd-client.crt")
    on(lab, "m1", "chmod 644 /etc/etcd/pki/*.crt")
    spoken_for = [IPv4Address(one) for one in certificate_names(lab.inventory) if one[0].isdigit()]
    certificate, key = expiring(
        lab, identity.kubernetes, "kube-apiserver", (Usage.SERVER,), addresses=spoken_for,
        dns_names=("m3", "localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"),
    )  # fmt: skip
    place(lab, "m3", "/etc/kubernetes/pki/apiserver.crt", certificate)
    place(lab, "m3", "/etc/kubernetes/pki/apiserver.key", key)
    certificate, key = expiring(lab, identity.kubernetes, "system:kube-scheduler", client)
    config = on(lab, "m3", "cat /etc/kubernetes/scheduler.conf")
    lines = [
        f"    client-certificate-data: {base64.b64encode(certificate).decode()}"
        if "client-certificate-data" in line
        else f"    client-key-data: {base64.b64encode(key).decode()}"
        if "client-key-data" in line
        else line
        for line in config.splitlines()
    ]
    place(lab, "m3", "/etc/kubernetes/scheduler.conf", "\n".join([*lines, ""]).encode())
    started = on(lab, "m3", "pgrep -x kube-scheduler")
    mended(
        lab,
        (
            "m1: issue keys and certificates (/etc/etcd/pki/peer.crt",
            "m1: restart etcd (etcd: its keys are due for renewal)",
            "m2: issue keys and certificates (/etc/kubernetes/pki/apiserver-etcd-client.crt",
            "restart the control plane (its certificates are due for renewal)",
            "m3: renew kubeadm's certificates (apiserver, scheduler.conf: it expires in 10 days)",
        ),
    )
    assert lab.status()["certificates"]["days_left"] > 300
    assert on(lab, "m3", "pgrep -x kube-scheduler") != started
    served = on(
        lab, "m3", "openssl s_client -connect 127.0.0.1:6443 </dev/null 2>/dev/null | openssl x509 -noout -enddate"
    )
    assert (
        served.strip() == on(lab, "m3", "openssl x509 -noout -enddate -in /etc/kubernetes/pki/apiserver.crt").strip()
    )


def test_a_run_without_work_costs_each_host_at_most_four_commands(lab):
    """sshd runs /etc/ssh/sshrc before every command that it is given."""
    hosts = [host.name for host in lab.inventory.hosts]
    for name in hosts:
        on(lab, name, "echo 'echo >> /run/commands' > /etc/ssh/sshrc; rm -f /run/commands")
    try:
        nothing = json.loads(lab.haplane("up", lab.path, "--yes", "--json"))
        counted = {name: on(lab, name, "rm /etc/ssh/sshrc; wc -l < /run/commands") for name in hosts}
    finally:
        for name in hosts:
            on(lab, name, "rm -f /etc/ssh/sshrc /run/commands")
    assert nothing["changed"] is False
    commands = {name: int(lines) - 1 for name, lines in counted.items()}  # the one that counted
    print(commands)
    assert all(1 <= number <= 4 for number in commands.values()), commands
