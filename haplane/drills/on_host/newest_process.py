"""Runs on a host, with nothing but Python's standard library: prints a process of a pod of kube-system's.

    python3 -I -c THIS COMPONENT

The newest: an older one may belong to a pod that is being replaced, with its network. Prints nothing and ends with 3
where none runs: Python itself ends with 1 or 2 when it fails.
"""

from __future__ import annotations

import sys

from haplane.facts.on_host.static_pods import system_pod_processes

NONE_RUNS = 3


def main() -> None:
    """Find it by its container, whichever user it runs as."""
    processes = system_pod_processes(sys.argv[1], anyones=True)
    if not processes:
        sys.exit(NONE_RUNS)
    sys.stdout.write(f"{max(processes)}\n")


if __name__ == "__main__":
    main()
