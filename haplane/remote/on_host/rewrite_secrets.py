"""Runs on a master: reads every Secret through the API and writes it back, so that it is stored under the first key.

One that somebody else changes meanwhile is stored under that key as well, so a conflict is no error; who called this
looks at what is stored. Only names are ever in an argument. What went wrong last goes to standard output as JSON.
"""

import json
import subprocess
import sys

AT_ONCE = 50
KUBECTL = ["kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", "--request-timeout=60s"]
NAMES = "custom-columns=NAMESPACE:.metadata.namespace,NAME:.metadata.name"


def kubectl(*words: str, given: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    """As the administrator."""
    return subprocess.run([*KUBECTL, *words], input=given, capture_output=True, check=False)


def main() -> None:
    """Namespace by namespace."""
    listed = kubectl("get", "secrets", "--all-namespaces", "--no-headers", "--output", NAMES)
    if listed.returncode != 0:
        sys.exit(listed.stderr.decode(errors="replace"))
    by_namespace: dict[str, list[str]] = {}
    for line in listed.stdout.decode().splitlines():
        namespace, name = line.split()
        by_namespace.setdefault(namespace, []).append(name)
    failure = ""
    for namespace, names in by_namespace.items():
        for start in range(0, len(names), AT_ONCE):
            batch = names[start : start + AT_ONCE]
            found = kubectl(
                "get", f"--namespace={namespace}", "--ignore-not-found", "--output=json", "--", "secrets", *batch
            )
            if found.returncode != 0:
                failure = found.stderr.decode(errors="replace")
            if not found.stdout.strip():
                continue
            done = kubectl("replace", "--filename=-", given=found.stdout)
            if done.returncode != 0:
                failure = done.stderr.decode(errors="replace")
    lines = [line for line in failure.splitlines() if line.strip()]
    sys.stdout.write(json.dumps({"failure": lines[-1][:500] if lines else None}))


main()
