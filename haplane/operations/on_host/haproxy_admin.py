"""Runs on a load balancer, with nothing but Python's standard library: commands for haproxy's admin socket.

    haproxy_admin.py COMMAND...

haproxy answers a command that it has carried out with nothing; the first other answer ends the program with it.
"""

import socket
import sys

SOCKET = "/run/haplane-haproxy/admin.sock"
ANSWER_SECONDS = 5

for command in sys.argv[1:]:
    with socket.socket(socket.AF_UNIX) as admin:
        admin.settimeout(ANSWER_SECONDS)
        admin.connect(SOCKET)
        admin.sendall(command.encode() + b"\n")
        answer = b"".join(iter(lambda: admin.recv(65536), b"")).decode().strip()  # noqa: B023 - read at once
    if answer:
        sys.exit(f"haproxy: {command}: {answer}")
