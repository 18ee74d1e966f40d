"""The etcd member on this host, as it sees itself and its cluster."""

from __future__ import annotations

import concurrent.futures
import contextlib
import glob
import json
import os
import re
import socket
from typing import Any

from haplane.facts.on_host.peers import reached_peers
from haplane.facts.on_host.probe import completed, is_directory, open_regular, protobuf, run
from haplane.facts.on_host.systemd import loaded_unit

MEMBER = "/var/lib/etcd/member/wal"  # etcd's unit tests the same
WAL_METADATA = 1  # etcd's server/storage/wal: the type of the record that names member and cluster
NO_MEMBER: dict[str, Any] = {
    "bootstrapped": False,
    "has_data": False,
    "status": None,
    "members": None,
    "reads_through_quorum": False,
    "denies": False,
    "data_cluster_id": None,
    "outsiders": {},
    "last_words": [],
    "cut_off": False,
    "reached_peers": None,
}
CLIENTS = (
    ("/etc/etcd/pki/ca.crt", "/etc/etcd/pki/healthcheck-client.crt", "/etc/etcd/pki/healthcheck-client.key"),
    (
        "/etc/kubernetes/pki/etcd/ca.crt",
        "/etc/kubernetes/pki/apiserver-etcd-client.crt",
        "/etc/kubernetes/pki/apiserver-etcd-client.key",
    ),
    ("/etc/etcd/pki/ca.crt", "/etc/etcd/pki/peer.crt", "/etc/etcd/pki/peer.key"),
)
"""CA, certificate and key of who may ask: a member is not unwell because somebody removed one of them."""

DENIED = "etcdserver: permission denied"
"""Said after a read through quorum where somebody has enabled etcd's authentication: no certificate is a user's."""

ETCDCTL_SECONDS, ALONE_SECONDS = 2, 10
CLIENT_PORT = ("127.0.0.1", 2379)
CONNECT_SECONDS = 2.0
JOURNAL_LINES, LAST_WORDS, WORDS_LENGTH = 300, 40, 400
WITHOUT_LOG = re.compile(r"^panic: |^fatal error: |^unexpected fault|^flag provided|^invalid value |etcd\.service: ")
"""What Go and systemd write where etcd logs nothing."""


def etcd(known: list[str], seconds: int = ETCDCTL_SECONDS) -> dict[str, Any]:
    """The member here as it sees itself, its member list, and whether a read through quorum succeeds in that time.

    Raises OSError when etcdctl is missing or late, or the data cannot be looked at: then the member is unknown, not
    unhealthy, and its data not gone.
    """
    found: dict[str, Any] = NO_MEMBER | {
        "bootstrapped": os.path.exists("/etc/etcd/bootstrapped"),
        "has_data": is_directory(MEMBER),
        "data_cluster_id": data_cluster_id(),
    }
    keys = next((files for files in CLIENTS if all(map(os.path.exists, files))), None)
    if keys is None or not found["has_data"]:
        return found
    if not found["bootstrapped"] and is_starting("etcd"):
        found["last_words"] = last_words()
        return found  # it has never been ready, and would answer no request
    client = (
        "etcdctl", f"--cacert={keys[0]}", f"--cert={keys[1]}", f"--key={keys[2]}",
        f"--command-timeout={seconds}s", "-w", "json",
    )  # fmt: skip
    common = (*client, "--endpoints=https://127.0.0.1:2379")
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        status = pool.submit(run, *common, "endpoint", "status")
        members = pool.submit(run, *common, "member", "list", "--consistency=s")
        read_back = pool.submit(completed, *common, "get", "haplane-health")
    with contextlib.suppress(ValueError, LookupError, TypeError):
        found["status"] = json.loads(status.result() or "[]")[0]["Status"]
    with contextlib.suppress(ValueError, LookupError, TypeError):
        found["members"] = json.loads(members.result() or "{}")["members"]
    found["reads_through_quorum"] = read_back.result().returncode == 0
    found["denies"] = not found["reads_through_quorum"] and DENIED in read_back.result().stderr
    if found["status"] is None:
        found["last_words"] = last_words()
        found["cut_off"] = drops_connections(CLIENT_PORT)
    with contextlib.suppress(LookupError, TypeError):
        own = found["status"]["header"]["member_id"]
        found["reached_peers"] = reached_peers(found["members"], own)
    with contextlib.suppress(LookupError, TypeError):
        found["outsiders"] = outsiders(client, known, found["members"] or [])
    return found


def drops_connections(place: tuple[str, int]) -> bool:
    """Whether a packet filter does away with what is sent there: a program that is frozen or gone answers at once."""
    try:
        socket.create_connection(place, CONNECT_SECONDS).close()
    except TimeoutError:
        return True
    except OSError:
        return False
    return False


def is_starting(unit: str) -> bool:
    """Whether the unit has started but has not reported that it is ready."""
    return loaded_unit(unit, "ActiveState").get("ActiveState") == "activating"


def outsiders(client: tuple[str, ...], known: list[str], members: list[dict[str, Any]]) -> dict[str, bool]:
    """ID -> whether it reads through quorum, of listed members that are at none of the ``known`` addresses.

    One that etcdctl was late to reach is left out: nothing is known of it.
    """
    others = {
        f"{member['ID']:x}": member.get("clientURLs", [])
        for member in members
        if not any(f"://{address}:" in url for url in member["peerURLs"] for address in known)
    }
    with concurrent.futures.ThreadPoolExecutor(len(others) or 1) as pool:
        reads = {
            member: pool.submit(run, *client, f"--endpoints={','.join(urls)}", "get", "haplane-health")
            for member, urls in others.items()
            if urls
        }
    answered = {member for member in others if member not in reads or reads[member].exception() is None}
    return {member: member in reads and reads[member].result() is not None for member in answered}


def last_words() -> list[str]:
    """Etcd's warnings and errors since the host's start, and that it was ready; without stack traces.

    None where the journal cannot be read in time: they explain what is known without them.
    """
    journal = None
    with contextlib.suppress(OSError):
        journal = run("journalctl", "--unit=etcd", "--boot", f"--lines={JOURNAL_LINES}", "--output=cat", "--no-pager")
    found: list[str] = []
    for line in (journal or "").splitlines():
        entry = None
        with contextlib.suppress(ValueError, RecursionError):
            entry = json.loads(line)
        if not isinstance(entry, dict):
            found += [line[:WORDS_LENGTH]] if WITHOUT_LOG.search(line) else []
            continue
        serves = str(entry.get("msg")).startswith("ready to serve")
        if entry.get("level") != "info" or serves:
            short = {name: str(entry[name])[:WORDS_LENGTH] for name in ("level", "msg", "error") if entry.get(name)}
            found.append(json.dumps(short))
    return found[-LAST_WORDS:]


def data_cluster_id() -> int | None:
    """The cluster that the data here is of, from the head of etcd's newest log; also while etcd is stopped.

    Each log begins with a checksum's record and the metadata's. A record is its length (7 bytes; the eighth speaks of
    padding to 8), then protobuf: 1 is the type, 3 the data; in metadata 2 is the cluster.
    """
    logs = sorted(glob.glob(f"{MEMBER}/*.wal"))
    with contextlib.suppress(OSError, LookupError, TypeError), open_regular(logs[-1]) as log:
        for _ in range(2):
            length = int.from_bytes(log.read(8)[:7], "little")
            record = protobuf(log.read(min(length + -length % 8, 4096))[:length])
            if record.get(1) == WAL_METADATA:
                return int(protobuf(record[3])[2])
    return None
