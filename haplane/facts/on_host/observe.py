"""Runs on a host, with nothing but Python's standard library: says what is there, changes nothing.

Takes one JSON request as its argument and writes one JSON document. Every probe has a deadline, so that a hung
component makes its own answer empty and never the report late; a probe that fails gives NOTHING of its own and is
named in ``failed``. The shape of request and report is :mod:`haplane.domain.observed`.
"""

from __future__ import annotations

import base64
import concurrent.futures
import contextlib
import glob
import hashlib
import http.client
import json
import os
import platform
import re
import shutil
import socket
import ssl
import stat
import subprocess
import sys
import time
from typing import Any

PROBE_SECONDS = 5
STAMPS = "/var/lib/haplane/stamps.json"
ETCD_DATA = "/var/lib/etcd"
MADE = "/var/lib/haplane/made.json"
AGENT = "/opt/haplane/agent"
MEMBER = "/var/lib/etcd/member/wal"  # etcd's unit tests the same
WAL_METADATA = 1  # etcd's server/storage/wal: the type of the record that names member and cluster
LASTING_SETTINGS = {
    "controlPlaneEndpoint": "endpoint",
    "bindPort": "apiserver_port",
    "podSubnet": "pod_network",
    "serviceSubnet": "service_network",
    "dnsDomain": "dns_domain",
}
IDENTITY_SETTINGS = {"name": "name", "advertiseAddress": "address"}
API_SECONDS = 3
NODES = "/api/v1/nodes"
KUBE_SYSTEM = "/api/v1/namespaces/kube-system"
KUBE_SYSTEM_OBJECTS = {
    "haplane": f"{KUBE_SYSTEM}/configmaps/haplane",
    "kubeadm-config": f"{KUBE_SYSTEM}/configmaps/kubeadm-config",
    "coredns": "/apis/apps/v1/namespaces/kube-system/deployments/coredns",
    "kube-proxy": "/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy",
}
DAMAGED = re.compile(
    r"found data inconsistency with peers|^panic: |^fatal error: |^unexpected fault address"
    r'|"level":"(panic|fatal)".*(freelist|page|checksum|invalid database|corrupt|bbolt|mvcc|wal:)'
)
CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?")
NOTHING: dict[str, Any] = {
    "machine": {
        "hostname": "", "os_id": "", "os_version": "", "architecture": "", "kernel": "", "init": "", "user_id": -1,
        "cpus": 0, "memory_bytes": 0, "swap_bytes": 0, "disk_free_bytes": 0, "cgroups": "", "missing_commands": [],
        "apt": False,
    },
    "addresses": {},
    "listening": {},
    "files": {},
    "made": {},
    "bundle": {},
    "certificates": {},
    "units": {},
    "images": None,
    "etcd": {
        "bootstrapped": False, "has_data": False, "status": None, "members": None, "reads_through_quorum": False,
        "data_cluster_id": None,
        "outsiders": {}, "complaint": None,
    },
    "apiserver": {"ready": False, "detail": "not known"},
    "kubernetes": None,
    "balancer": {"holds_endpoint": False, "endpoint_answers": False, "endpoint_ready": False, "servers": None},
    "snapshots": None,
    "settings": {},
    "remains": {},
}  # fmt: skip


def main() -> None:
    """Ask every probe at once and write the report."""
    request = json.loads(sys.argv[1])
    started_at = time.time()
    probes = {
        "machine": machine,
        "addresses": addresses,
        "listening": listening,
        "files": lambda: files(request["files"]),
        "made": made,
        "bundle": lambda: bundle_files(request["bundle"]),
        "certificates": lambda: certificates(request["certificates"]),
        "units": lambda: units(request["units"]),
        "images": images,
        "etcd": lambda: etcd(request["etcd_addresses"]),
        "apiserver": lambda: apiserver(request["apiserver_port"]),
        "kubernetes": lambda: kubernetes(request["apiserver_port"]),
        "balancer": lambda: balancer(request["endpoint_address"], request["endpoint_port"], request["ping_endpoint"]),
        "snapshots": lambda: snapshots(request["snapshot_directory"]),
        "settings": lambda: settings(request["kubeadm_config"]),
        "remains": remains,
    }
    with concurrent.futures.ThreadPoolExecutor(len(probes)) as pool:
        futures = {name: pool.submit(probe) for name, probe in probes.items()}
    failed = {name: repr(error) for name, future in futures.items() if (error := future.exception())}
    report = {name: NOTHING[name] if name in failed else future.result() for name, future in futures.items()}
    report["failed"] = failed
    report["started_at"] = started_at
    report["finished_at"] = time.time()
    json.dump(report, sys.stdout)


def run(*command: str, seconds: float = PROBE_SECONDS) -> str | None:
    """A command's output, or None when it is missing, fails or hangs."""
    try:
        done = subprocess.run(  # noqa: S603 - fixed commands, no shell
            command, capture_output=True, encoding="utf-8", errors="replace", timeout=seconds, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def read(path: str) -> str | None:
    """A text file, or None when it is absent or not ours to read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return None


def machine() -> dict[str, Any]:
    """The machine itself; sizes in bytes."""
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', read("/etc/os-release") or "", re.M))
    memory = dict(re.findall(r"^(\w+):\s+(\d+) kB", read("/proc/meminfo") or "", re.M))
    disk = shutil.disk_usage("/var/lib")
    cgroups = "v2" if os.path.exists("/sys/fs/cgroup/cgroup.controllers") else "v1"
    return {
        "hostname": socket.gethostname(),
        "os_id": release.get("ID", ""),
        "os_version": release.get("VERSION_ID", ""),
        "architecture": platform.machine(),
        "kernel": platform.release(),
        "init": (read("/proc/1/comm") or "").strip(),
        "user_id": os.geteuid(),
        "cpus": os.cpu_count(),
        "memory_bytes": int(memory.get("MemTotal", 0)) * 1024,
        "swap_bytes": int(memory.get("SwapTotal", 0)) * 1024,
        "disk_free_bytes": disk.free,
        "cgroups": cgroups,
        "missing_commands": [name for name in ("zstd", "systemctl", "tar", "ip") if not shutil.which(name)],
        "apt": shutil.which("apt-get") is not None,
        "python": platform.python_version(),
    }


def addresses() -> dict[str, list[str]]:
    """Interface -> its IPv4 addresses."""
    links = json.loads(run("ip", "-j", "-4", "address") or "[]")
    return {link["ifname"]: [a["local"] for a in link.get("addr_info", [])] for link in links if link.get("ifname")}


def listening() -> dict[str, str]:
    """TCP port -> program that listens on it, "" when that is not known."""
    ports = {}
    for line in (run("ss", "-Hlntp") or "").splitlines():
        fields = line.split()
        program = re.search(r'"([^"]+)"', line)
        ports[fields[3].rsplit(":", 1)[1]] = program.group(1) if program else ""
    return ports


def digest(path: str) -> str:
    """SHA-256 of a file, in hexadecimal."""
    summary = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(1 << 20), b""):
            summary.update(chunk)
    return summary.hexdigest()


def files(paths: list[str]) -> dict[str, dict[str, Any]]:
    """Path -> sha256, mode, owner, time of its last change; absent paths are left out."""
    found = {}
    for path in paths:
        with contextlib.suppress(OSError):
            status = os.stat(path)
            if stat.S_ISREG(status.st_mode):
                found[path] = {
                    "sha256": digest(path),
                    "mode": status.st_mode & 0o7777,
                    "user_id": status.st_uid,
                    "changed_at": status.st_ctime,  # a rename sets it, whatever the time of the content
                }
    return found


def bundle_files(paths: list[str]) -> dict[str, str]:
    """Path -> sha256 of what was pushed; a file that no longer is as its stamp says is hashed again."""
    stamped = stamps()
    found = {}
    for path in paths:
        with contextlib.suppress(OSError):
            status = os.stat(path)
            seen = [status.st_size, status.st_mtime_ns, status.st_ino]
            found[path] = stamped[path, *seen] if (path, *seen) in stamped else digest(path)
    return found


def stamps() -> dict[tuple[Any, ...], str]:
    """Path, size, time and inode -> sha256; a stamp that cannot be read is none, so that its file is hashed."""
    found = {}
    with contextlib.suppress(ValueError, AttributeError):
        for path, stamp in json.loads(read(STAMPS) or "{}").items():
            with contextlib.suppress(LookupError, TypeError):
                if re.fullmatch("[0-9a-f]{64}", stamp["sha256"]):
                    found[path, *stamp["seen"]] = stamp["sha256"]
    return found


def made() -> dict[str, str]:
    """Path -> sha256 of what kubeadm made here when haplane last had it made."""
    with contextlib.suppress(ValueError, AttributeError):
        noted = json.loads(read(MADE) or "{}").items()
        return {path: seen for path, seen in noted if isinstance(seen, str) and re.fullmatch("[0-9a-f]{64}", seen)}
    return {}


def certificates(patterns: list[str]) -> dict[str, str]:
    """Path -> the public certificates in a file, or in a kubeconfig's client-certificate-data; never a key."""
    found = {}
    for path in sorted({path for pattern in patterns for path in glob.glob(pattern)})[:100]:
        text = read(path) or ""
        embedded = re.search(r"^\s*client-certificate-data:\s*(\S+)", text, re.M)
        if embedded:
            text = ""
            with contextlib.suppress(ValueError):
                text = base64.b64decode(embedded.group(1)).decode("ascii", "replace")
        found[path] = "".join(CERTIFICATE.findall(text))
    return found


def units(names: list[str]) -> dict[str, dict[str, Any]]:
    """Unit -> what systemd says of it; units that it has not loaded are left out."""
    shown = run(
        "systemctl", "show",
        "--property=Id,ActiveState,UnitFileState,NeedDaemonReload,LoadState,StateChangeTimestampMonotonic,MainPID,"
        "ActiveEnterTimestampMonotonic",
        *names,
    )  # fmt: skip
    if shown is None and os.path.isdir("/run/systemd/system"):
        raise OSError("systemctl does not answer")  # a host that is too busy to tell is not one without units
    booted_at = time.time() - time.monotonic()
    found = {}
    for block in (shown or "").split("\n\n"):
        fields = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if fields.get("LoadState") == "loaded":
            found[fields["Id"].removesuffix(".service") if "Id" in fields else ""] = {
                "active": fields.get("ActiveState") == "active",
                "enabled": fields.get("UnitFileState") in ("enabled", "static", "enabled-runtime"),
                "needs_reload": fields.get("NeedDaemonReload") == "yes",
                "since": booted_at + int(fields.get("StateChangeTimestampMonotonic") or 0) / 1e6,
                "binary_replaced": is_replaced(fields.get("MainPID", "0")),
                "active_since": booted_at + int(fields.get("ActiveEnterTimestampMonotonic") or 0) / 1e6,
            }
    return found


def is_replaced(process: str) -> bool:
    """Whether the file that a process was started from is no longer the one at its path."""
    with contextlib.suppress(OSError):
        return os.readlink(f"/proc/{process}/exe").endswith(" (deleted)")
    return False


def images() -> list[str] | None:
    """References known to containerd, None when it does not answer."""
    listed = run("ctr", "--connect-timeout", "1s", "-n", "k8s.io", "images", "list", "-q")
    return listed.split() if listed is not None else None


def etcd(known: list[str]) -> dict[str, Any]:
    """The member here as it sees itself, its member list, and whether a read through quorum succeeds."""
    pki = "/etc/etcd/pki"
    found: dict[str, Any] = NOTHING["etcd"] | {
        "bootstrapped": os.path.exists("/etc/etcd/bootstrapped"),
        "has_data": os.path.isdir(MEMBER),
        "data_cluster_id": data_cluster_id(),
    }
    if not os.path.exists(pki + "/healthcheck-client.crt") or not found["has_data"]:
        return found
    if not found["bootstrapped"] and is_starting("etcd"):
        found["complaint"] = etcd_complaint()
        return found  # it has never been ready, and would take any question without an answer
    client = (
        "etcdctl", f"--cacert={pki}/ca.crt", f"--cert={pki}/healthcheck-client.crt",
        f"--key={pki}/healthcheck-client.key", "--command-timeout=2s", "-w", "json",
    )  # fmt: skip
    common = (*client, "--endpoints=https://127.0.0.1:2379")
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        status = pool.submit(run, *common, "endpoint", "status")
        members = pool.submit(run, *common, "member", "list", "--consistency=s")
        read_back = pool.submit(run, *common, "get", "haplane-health")
    with contextlib.suppress(ValueError, LookupError, TypeError):
        found["status"] = json.loads(status.result() or "[]")[0]["Status"]
    with contextlib.suppress(ValueError, LookupError, TypeError):
        found["members"] = json.loads(members.result() or "{}")["members"]
    found["reads_through_quorum"] = read_back.result() is not None
    if found["status"] is None:
        found["complaint"] = etcd_complaint()
    with contextlib.suppress(LookupError, TypeError):
        found["outsiders"] = outsiders(client, known, found["members"] or [])
    return found


def is_starting(unit: str) -> bool:
    """Whether systemd waits for the unit to say that it is ready."""
    return (run("systemctl", "show", "--property=ActiveState", "--value", unit) or "").strip() == "activating"


def outsiders(client: tuple[str, ...], known: list[str], members: list[dict[str, Any]]) -> dict[str, bool]:
    """ID -> whether it reads through quorum, of listed members at addresses that nobody asked us about."""
    strangers = {
        f"{member['ID']:x}": member.get("clientURLs", [])
        for member in members
        if not any(f"://{address}:" in url for url in member["peerURLs"] for address in known)
    }
    with concurrent.futures.ThreadPoolExecutor(len(strangers) or 1) as pool:
        asked = {
            member: pool.submit(run, *client, f"--endpoints={','.join(urls)}", "get", "haplane-health")
            for member, urls in strangers.items()
            if urls
        }
    return {member: member in asked and asked[member].result() is not None for member in strangers}


def etcd_complaint() -> str | None:
    """Why etcd does not come up, where its last words are that its data are damaged."""
    said = run("journalctl", "--unit=etcd", "--boot", "--lines=300", "--output=cat", "--no-pager") or ""
    found = None
    for line in said.splitlines():
        if line.startswith('{"level":"info"') and '"ready to serve client requests"' in line:
            found = None
        elif DAMAGED.search(line):
            found = line[:400]
    return found


def data_cluster_id() -> int | None:
    """The cluster that the data here is of, from the head of etcd's newest log; also while etcd is stopped.

    Each log begins with a checksum's record and the metadata's. A record is its length (7 bytes; the eighth speaks of
    padding to 8), then protobuf: 1 is the type, 3 the data; in metadata 2 is the cluster.
    """
    logs = sorted(glob.glob(f"{MEMBER}/*.wal"))
    with contextlib.suppress(OSError, LookupError, TypeError), open(logs[-1], "rb") as log:
        for _ in range(2):
            length = int.from_bytes(log.read(8)[:7], "little")
            record = protobuf(log.read(min(length + -length % 8, 4096))[:length])
            if record.get(1) == WAL_METADATA:
                return int(protobuf(record[3])[2])
    return None


def protobuf(message: bytes) -> dict[int, Any]:
    """Field number -> value, of numbers and byte strings. Raises LookupError for a message that is cut short."""
    found: dict[int, Any] = {}
    rest = message
    while rest:
        key, rest = varint(rest)
        value, rest = varint(rest)
        if key & 7 == 2:
            found[key >> 3], rest = rest[:value], rest[value:]
        else:
            found[key >> 3] = value
    return found


def varint(message: bytes) -> tuple[int, bytes]:
    """The number at the head of a message, seven bits a byte, and what follows it."""
    value = shift = 0
    while message[0] & 0x80:
        value |= (message[0] & 0x7F) << shift
        message, shift = message[1:], shift + 7
    return value | message[0] << shift, message[1:]


def apiserver(port: int) -> dict[str, Any]:
    """/readyz of the API server beside us, asked without credentials."""
    if not os.path.exists("/etc/kubernetes/manifests/kube-apiserver.yaml"):
        return {"ready": False, "detail": "no manifest"}
    return ready("127.0.0.1", port, seconds=3)


def ready(address: str, port: int, seconds: float) -> dict[str, Any]:
    """What /readyz there answers."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # only "is it ready" is asked; nothing that is answered is trusted
    connection = http.client.HTTPSConnection(address, port, context=context, timeout=seconds)
    try:
        connection.request("GET", "/readyz")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return {"ready": False, "detail": str(error)}
    finally:
        connection.close()
    return {"ready": status == 200, "detail": str(status) if status == 200 else f"HTTP {status}"}


def kubernetes(port: int) -> dict[str, Any] | None:
    """Nodes and the cluster's identity as the API server beside us tells them; None when it does not."""
    config = read("/etc/kubernetes/admin.conf")
    if config is None:
        return None
    try:
        told = ask(port, config, [NODES, KUBE_SYSTEM, *KUBE_SYSTEM_OBJECTS.values()])
        found = {name: told[path] for name, path in KUBE_SYSTEM_OBJECTS.items() if path in told}
        return {
            "uid": told[KUBE_SYSTEM]["metadata"]["uid"] if KUBE_SYSTEM in told else None,
            "nodes": [node(item) for item in told[NODES]["items"]],
            "objects": sorted(found),
            "applied": found.get("haplane", {}).get("data", {}).get("applied"),
            "coredns_ready": found.get("coredns", {}).get("status", {}).get("readyReplicas", 0),
        }
    except (OSError, http.client.HTTPException, ValueError, LookupError):
        return None


def ask(port: int, config: str, paths: list[str]) -> dict[str, Any]:
    """Path -> what the API server beside us has there; what does not exist is left out. One connection, one deadline.

    Not by kubectl, which took more CPU for this than all else that is looked at here. Raises OSError, HTTPException,
    ValueError or LookupError when it is not told.
    """
    deadline = time.monotonic() + API_SECONDS
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=credentials(config), timeout=API_SECONDS)
    found = {}
    with contextlib.closing(connection):
        for path in paths:
            connection.request("GET", path)
            connection.sock.settimeout(max(deadline - time.monotonic(), 0.01))
            with connection.getresponse() as answer:
                text = answer.read()
            if answer.status not in (200, 404):
                raise OSError(f"{path}: HTTP {answer.status}")
            if answer.status == 200:
                found[path] = json.loads(text)
    return found


def credentials(config: str) -> ssl.SSLContext:
    """A kubeconfig's authority and client certificate. The key is in a file without a name, in memory alone."""
    fields = dict(re.findall(r"^\s*([a-z-]+)-data: (\S+)$", config, re.M))
    pem = {name: base64.b64decode(value) for name, value in fields.items()}
    context = ssl.create_default_context(cadata=pem["certificate-authority"].decode("ascii"))
    held = os.memfd_create("credentials")
    try:
        os.write(held, pem["client-certificate"] + b"\n" + pem["client-key"])
        context.load_cert_chain(f"/proc/self/fd/{held}")
    finally:
        os.close(held)
    return context


def node(item: dict[str, Any]) -> dict[str, Any]:
    """What is told of one Node object."""
    conditions = {c["type"]: c["status"] for c in item["status"].get("conditions", [])}
    return {
        "name": item["metadata"]["name"],
        "uid": item["metadata"]["uid"],
        "ready": conditions.get("Ready") == "True",
        "labels": sorted(k for k in item["metadata"].get("labels", {}) if "node-role" in k or "exclude-from" in k),
        "taints": sorted(f"{t['key']}:{t['effect']}" for t in item["spec"].get("taints", [])),
        "unschedulable": bool(item["spec"].get("unschedulable")),
        "kubelet_version": item["status"].get("nodeInfo", {}).get("kubeletVersion", ""),
        "address": next((a["address"] for a in item["status"].get("addresses", []) if a["type"] == "InternalIP"), ""),
    }


def balancer(endpoint: str, port: int, ping: bool) -> dict[str, Any]:
    """Haproxy's servers, whether the endpoint is ready, and who answers at its address while we do not hold it."""
    held = any(endpoint in found for found in addresses().values())
    answered = ping and not held and run("ping", "-c1", "-W0.5", "-n", endpoint, seconds=2) is not None
    worth_asking = held or answered or os.path.exists("/etc/kubernetes/kubelet.conf")  # before `up` nobody is there
    return {
        "holds_endpoint": held,
        "endpoint_answers": bool(answered),
        "endpoint_ready": worth_asking and ready(endpoint, port, seconds=2)["ready"],
        "servers": haproxy_servers(),
    }


def haproxy_servers() -> list[dict[str, str]] | None:
    """Every server with its backend and status, from haproxy's admin socket."""
    with contextlib.suppress(OSError, LookupError), socket.socket(socket.AF_UNIX) as admin:
        admin.settimeout(2)
        admin.connect("/run/haproxy/admin.sock")
        admin.sendall(b"show stat -1 4 -1\n")
        text = b"".join(iter(lambda: admin.recv(65536), b"")).decode("utf-8", "replace")
        rows = [line.split(",") for line in text.splitlines() if line and not line.startswith("#")]
        return [{"backend": row[0], "name": row[1], "status": row[17]} for row in rows]
    return None


def settings(path: str) -> dict[str, str]:
    """What kubeadm's configuration here says of that which a cluster keeps as long as it exists."""
    found = dict(re.findall(r'^\s*(\w+): "?([^"\s]+)"?$', read(path) or "", re.M))
    return {name: found[word] for word, name in (LASTING_SETTINGS | IDENTITY_SETTINGS).items() if word in found}


def remains() -> dict[str, Any]:
    """A restore that is under way, the old data that earlier ones kept, and the free bytes where etcd's data lies."""
    journal = json.loads(read("/var/lib/haplane/restore.json") or "null")
    place = ETCD_DATA if os.path.isdir(ETCD_DATA) else "/var/lib"
    space = os.statvfs(place)
    return {
        "journal": journal if isinstance(journal, dict) else None,
        "aside": [{"path": path, "size": size_of(path)} for path in sorted(glob.glob(ETCD_DATA + "/aside-*"))],
        "etcd_free_bytes": space.f_bavail * space.f_frsize,
    }


def size_of(directory: str) -> int:
    """What a directory takes up, in bytes."""
    found = 0
    for path, _, names in os.walk(directory):
        for name in names:
            with contextlib.suppress(OSError):
                found += os.lstat(os.path.join(path, name)).st_blocks * 512
    return found


def document(path: str) -> dict[str, Any] | None:
    """A JSON object in a file, None when it is absent or damaged: who wrote it will write it again."""
    with contextlib.suppress(ValueError, RecursionError):
        found = json.loads(read(path) or "null")
        return found if isinstance(found, dict) else None
    return None


def snapshots(directory: str) -> dict[str, Any]:
    """Which snapshot agent is installed, what it wrote of itself, which keys are sealed, what is kept here."""
    kept = [entry.name for entry in os.scandir(directory)] if os.path.isdir(directory) else []
    return {
        "agent": os.path.basename(os.readlink(AGENT)) if os.path.islink(AGENT) else None,
        "state": document("/var/lib/haplane/snapshot-state.json"),
        "sealed": document("/etc/haplane/sealed-keys.json"),
        "local": sum(os.path.exists(os.path.join(directory, name, "manifest.sig")) for name in kept),
    }


main()
