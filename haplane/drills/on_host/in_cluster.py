"""What a pod sees of the cluster. Runs on a host, inside a pod's network namespace, with that host's Python alone.

    python3 -c THIS SERVICE_ADDRESS DNS_ADDRESS DNS_NAME PER_SECOND

Until its input ends it asks the kubernetes service for /readyz and the DNS service for a name, each PER_SECOND times
a second by schedule whatever became of the questions before, and prints a line of JSON for each in the shape of
haplane.drills.timeline.Request.
"""

from __future__ import annotations

import http.client
import itertools
import json
import os
import socket
import ssl
import struct
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

SECONDS = 1.0
KINDS = ("service", "dns")


def main() -> None:
    """Probe until standard input ends."""
    service_address, dns_address, name, per_second = sys.argv[1:]
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # whether it answers is asked, not who it is
    lock, stop = threading.Lock(), threading.Event()

    def send(kind: str, number: int, scheduled: float) -> None:
        def ask() -> tuple[int, bool]:
            return ask_service(service_address, context) if kind == "service" else ask_dns(dns_address, name, number)

        line = json.dumps({"kind": kind, "number": number, "scheduled": scheduled, **timed(ask)}) + "\n"
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


def timed(ask: Callable[[], tuple[int, bool]]) -> dict[str, object]:
    """What became of one question, and when."""
    sent = time.monotonic()
    status, ok, failure = None, False, None
    try:
        status, ok = ask()
    except (OSError, http.client.HTTPException, struct.error) as error:
        failure = f"{type(error).__name__}: {error}"
    done = time.monotonic()
    if ok and done - sent > SECONDS:
        ok, failure = False, f"answered later than {SECONDS:g} s"
    return {"sent": sent, "done": done, "ok": ok, "status": status, "error": failure}


def ask_service(address: str, context: ssl.SSLContext) -> tuple[int, bool]:
    """GET /readyz, which anybody may, on a connection of its own."""
    connection = http.client.HTTPSConnection(address, 443, timeout=SECONDS, context=context)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.status == 200
    finally:
        connection.close()


def ask_dns(address: str, name: str, number: int) -> tuple[int, bool]:
    """One A query over UDP from a new port (RFC 1035 section 4.1); answered means no error and a record."""
    identity = number % 65536
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    query = struct.pack("!6H", identity, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plug:
        plug.settimeout(SECONDS)
        plug.connect((address, 53))
        plug.send(query)
        answered, flags, _, records = struct.unpack("!4H", plug.recv(4096)[:8])
    return flags & 0xF, answered == identity and flags & 0xF == 0 and records > 0


def wait_for_end_of_input(stop: threading.Event) -> None:
    """The other side has nothing to say; when it hangs up, we stop."""
    while os.read(0, 1024):
        continue
    stop.set()


if __name__ == "__main__":
    main()
