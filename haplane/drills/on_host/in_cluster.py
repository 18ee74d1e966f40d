"""What a pod sees of the cluster. Runs on a host, inside a pod's network namespace, with that host's Python alone.

    python3 -I -c THIS SERVICE_ADDRESS DNS_ADDRESS DNS_NAME PER_SECOND

Until its input ends it requests /readyz of the kubernetes service and a name of the DNS service, each PER_SECOND
times a second on schedule, whatever became of the requests before, and prints a line of JSON for each in the shape of
haplane.drills.probing.timeline.Request.
"""

from __future__ import annotations

import http.client
import itertools
import json
import os
import ssl
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from haplane.facts.on_host.dns import resolve

SECONDS = 1.0
KINDS = ("service", "dns")


def main() -> None:
    """Probe until standard input ends."""
    service_address, dns_address, name, per_second = sys.argv[1:]
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # only whether it answers is measured
    lock, stop = threading.Lock(), threading.Event()

    def send(kind: str, number: int, scheduled: float) -> None:
        def request() -> tuple[int | None, bool]:
            if kind == "service":
                return get_readyz(service_address, context)
            return None, bool(resolve(dns_address, name, SECONDS))

        line = json.dumps({"kind": kind, "number": number, "scheduled": scheduled, **timed(request)}) + "\n"
        with lock:
            os.write(1, line.encode())

    threading.Thread(target=wait_for_end_of_input, args=(stop,), daemon=True).start()
    period = 1 / (float(per_second) * len(KINDS))
    start = time.monotonic()
    with ThreadPoolExecutor(int(2 * SECONDS / period) + 2) as pool:
        for tick in itertools.count():
            scheduled = start + tick * period
            if stop.wait(max(0.0, scheduled - time.monotonic())):
                return
            number, turn = divmod(tick, len(KINDS))
            pool.submit(send, KINDS[turn], number, scheduled)


def timed(request: Callable[[], tuple[int | None, bool]]) -> dict[str, object]:
    """What became of one request, and when."""
    sent = time.monotonic()
    status: int | None = None
    ok, failure = False, None
    try:
        status, ok = request()
    except (OSError, http.client.HTTPException, ValueError) as error:
        failure = f"{type(error).__name__}: {error}"
    done = time.monotonic()
    if ok and done - sent > SECONDS:
        ok, failure = False, f"answered later than {SECONDS:g} s"
    return {"sent": sent, "done": done, "ok": ok, "status": status, "error": failure}


def get_readyz(address: str, context: ssl.SSLContext) -> tuple[int, bool]:
    """GET /readyz, which anybody may, on a connection of its own."""
    connection = http.client.HTTPSConnection(address, 443, timeout=SECONDS, context=context)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.status == 200
    finally:
        connection.close()


def wait_for_end_of_input(stop: threading.Event) -> None:
    """Standard input holds nothing; its end is the signal to stop."""
    while os.read(0, 1024):
        continue
    stop.set()


if __name__ == "__main__":
    main()
