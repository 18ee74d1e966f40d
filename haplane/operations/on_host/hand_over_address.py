"""Runs on a load balancer, with nothing but Python's standard library: gives the floating address to another one.

    hand_over_address.py ADDRESS INTERFACE

Ends keepalived, until the next boot. If this host holds the address, it goes on serving it until another one has
announced that it has it: between the two nobody would answer, and the kernel repeats a client's first packet only
after 1 s. Where none takes it, keepalived is started again and the program fails.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time

ETHERTYPE_ARP = 0x0806
TAKE_SECONDS = 10.0
COMMAND_SECONDS = 20
SENDER = slice(22, 28)  # of an Ethernet frame with ARP in it: the hardware address,
SENDER_ADDRESS = slice(28, 32)  # and the IP address


def main() -> None:
    """End keepalived, and see the address arrive elsewhere."""
    address, interface = sys.argv[1:]
    if f" {address}/" not in run("ip", "-o", "addr", "show", "dev", interface):
        run("systemctl", "stop", "keepalived.service")
        return
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETHERTYPE_ARP)) as listener:
        listener.bind((interface, ETHERTYPE_ARP))
        run("ip", "addr", "add", f"{address}/32", "dev", "lo")
        try:
            run("systemctl", "stop", "keepalived.service")
            taken = is_announced(listener, socket.inet_aton(address))
        finally:
            run("ip", "addr", "del", f"{address}/32", "dev", "lo")
    if not taken:
        run("systemctl", "start", "keepalived.service")
        sys.exit(f"no other load balancer took {address} within {TAKE_SECONDS:.0f} s; it is back on this host")


def is_announced(listener: socket.socket, address: bytes) -> bool:
    """Whether another host announces the address in time."""
    own = listener.getsockname()[4]
    deadline = time.monotonic() + TAKE_SECONDS
    while (left := deadline - time.monotonic()) > 0:
        listener.settimeout(left)
        try:
            frame = listener.recv(64)
        except TimeoutError:
            return False
        if frame[SENDER_ADDRESS] == address and frame[SENDER] != own:
            return True
    return False


def run(*command: str) -> str:
    """Its output. Ends the program with its error when it fails or hangs."""
    try:
        done = subprocess.run(  # noqa: S603 - fixed commands, no shell
            command, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        sys.exit(f"{command[0]}: {error}")
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


if __name__ == "__main__":
    main()
