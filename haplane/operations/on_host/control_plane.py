"""Runs on a master, with nothing but Python's standard library: ends and starts static pods, and waits for it.

    control_plane.py list COMPONENT             the numbers of its processes
    control_plane.py stop SECONDS COMPONENT...  manifests moved away, until they have ended and the kubelet is done
    control_plane.py kill SECONDS COMPONENT...  SIGKILL, until none is left: for when the kubelet is stopped
    control_plane.py crash SECONDS COMPONENT... SIGKILL once, and no waiting: the kubelet starts it again
    control_plane.py away SECONDS COMPONENT...  manifests moved away, and no waiting
    control_plane.py gone SECONDS COMPONENT...  until they have ended
    control_plane.py back SECONDS COMPONENT...  manifests moved back
    control_plane.py start SECONDS COMPONENT... manifests moved back, until they run and are healthy
    control_plane.py ready SECONDS PORT         until the API server there is ready

Processes are found as static_pods.py finds them. All but ``kill`` and ``crash`` have the kubelet end them.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence

from haplane.facts.on_host.probe import activity
from haplane.facts.on_host.static_pods import pod_identifiers, system_pod_processes

MANIFESTS = "/etc/kubernetes/manifests"
MOVED = "/etc/kubernetes/haplane"
PODS = "/var/lib/kubelet/pods"
API_SERVER = "kube-apiserver"
HEALTH_PORTS = {"kube-controller-manager": 10257, "kube-scheduler": 10259}
KUBELET_SECONDS = 10
LOOK_SECONDS = 0.2
BACK_OFF_SECONDS = 240
"""Beyond a deadline: a kubelet's back-off is 300 s at most (MaxContainerBackOff in pkg/kubelet/kubelet.go)."""
WORKS_SECONDS, WORKS_CPU_SECONDS = 1.0, 0.3
"""What uses so much of so long starts on a slow host, as an API server that fills its caches; waiting uses less."""
SAID_SECONDS = 120
"""A kubelet says again that it holds a container back when it looks at its pod: each minute, and half as late again
(syncFrequency, workerResyncIntervalJitterFactor in pkg/kubelet)."""
HELD_BACK = r"back-off (\w+) restarting failed container=([\w-]+)"
DEADLINE_MARK = "deadline passed:"  # haplane.errors has the same


def main() -> None:
    """Carry out one of the verbs."""
    verb, *words = sys.argv[1:]
    if verb == "list":
        for process in (process for component in words for process in system_pod_processes(component)):
            sys.stdout.write(f"{process}\n")
        return
    seconds, components = float(words[0]), words[1:]
    verbs = {one.__name__: one for one in (stop, kill, crash, away, gone, back, start, ready)}
    verbs[verb](components, time.monotonic() + seconds)


def stop(components: Sequence[str], deadline: float) -> None:
    """A manifest that is moved away makes the kubelet end the pod; one that it did not follow is moved back.

    A static pod that comes while the kubelet is not done with the one before it is not looked at again for 10 to 15 s
    (backOffPeriod in pkg/kubelet/kubelet.go, with jitter). Its directory goes first, the pod worker within a second.
    """
    pods = [f"{PODS}/{uid}/containers/{component}" for component in components for uid in pod_identifiers(component)]
    away(components, deadline)
    try:
        gone(components, deadline)
    except SystemExit:
        back(components, deadline)
        raise
    limit = min(deadline, time.monotonic() + KUBELET_SECONDS)
    while any(map(os.path.exists, pods)) and time.monotonic() < limit:
        time.sleep(LOOK_SECONDS)
    time.sleep(1 if pods else 0)


def away(components: Sequence[str], _: float) -> None:
    """Move manifests to where the kubelet does not look."""
    for component in components:
        move(f"{MANIFESTS}/{component}.yaml", f"{MOVED}/{component}.yaml")


def move(source: str, target: str) -> None:
    """In one step, if it is there."""
    with contextlib.suppress(FileNotFoundError):
        os.replace(source, target)


def kill(components: Sequence[str], deadline: float) -> None:
    """Again and again, until none is left."""

    def left() -> str:
        for component in components:
            send_kill(component)
        return running(components)

    await_nothing(left, deadline, f"{' and '.join(components)} are killed")


def crash(components: Sequence[str], _: float) -> None:
    """Fails for one that does not run."""
    for component in components:
        if not send_kill(component):
            sys.exit(f"no {component} of this master's control plane runs")


def send_kill(component: str) -> int:
    """To how many processes: through descriptors, so that no other that got the number meanwhile is met."""
    killed = 0
    for process in system_pod_processes(component):
        with contextlib.suppress(ProcessLookupError):
            descriptor = os.pidfd_open(process)
            try:
                if process in system_pod_processes(component):
                    signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                    killed += 1
            finally:
                os.close(descriptor)
    return killed


def gone(components: Sequence[str], deadline: float) -> None:
    """Wait until none of their processes is left."""
    await_nothing(lambda: running(components), deadline, f"{' and '.join(components)} end")


def running(components: Sequence[str]) -> str:
    """Which of these components run, in words; "" for none."""
    found = [f"{component} ({process})" for component in components for process in system_pod_processes(component)]
    return f"{', '.join(found)} still runs" if found else ""


def back(components: Sequence[str], _: float) -> None:
    """Move manifests back to where the kubelet looks; one that is there already stays."""
    for component in components:
        if not os.path.exists(f"{MANIFESTS}/{component}.yaml"):
            move(f"{MOVED}/{component}.yaml", f"{MANIFESTS}/{component}.yaml")
        with contextlib.suppress(FileNotFoundError):
            os.remove(f"{MOVED}/{component}.yaml")


def start(components: Sequence[str], deadline: float) -> None:
    """Healthy is one that answers so twice without having started anew.

    A kubelet holds a container back that ended often within ten minutes, whoever ended it: so long is waited as well.
    """
    back(components, deadline)
    seen: dict[str, int] = {}

    def missing() -> str:
        return next(filter(None, (unhealthy(component, seen) for component in components)), "")

    wanted = f"{' and '.join(components)} run and are healthy"
    await_nothing(missing, deadline, wanted, lambda: held_back(components) or at_work(components))


def ready(ports: Sequence[str], deadline: float) -> None:
    """Wait for the API server, longer for one that works on a slow host, or that its kubelet does not start yet.

    One that was started meanwhile and ended again is not held back: it fails.
    """
    (port,) = ports
    started = False

    def unready() -> str:
        nonlocal started
        started = started or bool(system_pod_processes(API_SERVER))
        return health(int(port), "/readyz")

    def delayed() -> str:
        return at_work([API_SERVER]) if started else held_back([API_SERVER])

    await_nothing(unready, deadline, "the API server on this host is ready", delayed)


def at_work(components: Sequence[str]) -> str:
    """Which of them works, in words; "" for none. Only one that runs on through this look counts."""
    before = {one: activity(one) for component in components for one in system_pod_processes(component)}
    time.sleep(WORKS_SECONDS)
    for component in components:
        for process in before.keys() & set(system_pod_processes(component)):
            (used, waited), (used_now, waits) = before[process], activity(process)
            if used_now - used >= WORKS_CPU_SECONDS or (waited and waits):
                return f"{component} still starts, and uses the CPU"
    return ""


def held_back(components: Sequence[str]) -> str:
    """By the kubelet, which says so at each look at their pods; "" where none of them is."""
    command = [
        "journalctl",
        "--unit=kubelet",
        f"--since=-{SAID_SECONDS}s",
        "--output=cat",
        "--no-pager",
        "--lines=4000",
    ]
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(command, capture_output=True, timeout=10, check=False)
        for seconds, component in re.findall(HELD_BACK, done.stdout.decode(errors="replace")):
            if component in components:
                return f"its kubelet waits {seconds} to start {component}, which ended often within minutes"
    return ""


def unhealthy(component: str, seen: dict[str, int]) -> str:
    """What is wrong with it, "" if nothing is; ``seen`` keeps the process that was healthy when looked at before."""
    processes = system_pod_processes(component)
    if not processes:
        return f"{component} does not run; the kubelet's log shows why: `journalctl -u kubelet`"
    if problem := health(HEALTH_PORTS[component]):
        return f"{component} is not healthy: {problem}"
    before, seen[component] = seen.get(component), processes[-1]
    return "" if before == processes[-1] else f"{component} has just started"


def health(port: int, path: str = "/healthz") -> str:
    """What it says that is not 200, else ""; the certificate is the process's own, made when it starts."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    tls, no_proxy = urllib.request.HTTPSHandler(context=context), urllib.request.ProxyHandler({})
    opener = urllib.request.build_opener(no_proxy, tls)
    try:
        with opener.open(f"https://127.0.0.1:{port}{path}", timeout=2):
            return ""
    except (OSError, http.client.HTTPException) as error:
        return str(error)


def await_nothing(
    what: Callable[[], str], deadline: float, wanted: str, delayed: Callable[[], str] = lambda: ""
) -> None:
    """Look until there is nothing to say. Past the deadline it ends with what there is, unless it is ``delayed``."""
    began = time.monotonic()
    while problem := what():
        now = time.monotonic()
        if now >= deadline and (not (why := delayed()) or now >= deadline + BACK_OFF_SECONDS):
            sys.exit(f"{DEADLINE_MARK} not within {now - began:.0f} s: {wanted}: {why or problem}")
        time.sleep(LOOK_SECONDS if now < deadline else 1)


if __name__ == "__main__":
    main()
