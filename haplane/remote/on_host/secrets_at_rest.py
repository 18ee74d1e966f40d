"""Runs on an etcd member: counts the Secrets whose stored value does not carry the name of a given key.

The argument is the key's name. What comes out is JSON: how many there are, how many are stored otherwise, and the
names of some of those; no value leaves the host. The read is linearizable: it goes through quorum.
"""

import base64
import json
import subprocess
import sys

PREFIX = "/registry/secrets/"
AT_ONCE = 100
ETCDCTL = [
    "etcdctl", "--endpoints=https://127.0.0.1:2379", "--cacert=/etc/etcd/pki/ca.crt", "--command-timeout=30s",
    "--cert=/etc/etcd/pki/healthcheck-client.crt", "--key=/etc/etcd/pki/healthcheck-client.key", "get",
]  # fmt: skip


def get(*words: str) -> list[dict[str, str]]:
    """Keys and values, base64, that etcdctl finds."""
    done = subprocess.run([*ETCDCTL, "--write-out=json", *words], capture_output=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stderr.decode(errors="replace"))
    found: list[dict[str, str]] = json.loads(done.stdout).get("kvs", [])
    return found


def main() -> None:
    """Count them."""
    written = f"k8s:enc:secretbox:v1:{sys.argv[1]}:".encode()
    keys = [base64.b64decode(item["key"]).decode() for item in get("--prefix", "--keys-only", "--", PREFIX)]
    keys = sorted(keys)
    total = 0
    others: list[str] = []
    for start in range(0, len(keys), AT_ONCE):
        last = keys[start + AT_ONCE] if start + AT_ONCE < len(keys) else PREFIX[:-1] + "0"
        for item in get("--", keys[start], last):
            total += 1
            if not base64.b64decode(item.get("value", "")).startswith(written):
                others.append(base64.b64decode(item["key"]).decode().removeprefix(PREFIX))
    sys.stdout.write(json.dumps({"total": total, "others": len(others), "some": others[:5]}))


main()
