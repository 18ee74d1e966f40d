"""A run of haplane, as a process of its own that a test may kill, stop and talk to.

    python controller.py INVENTORY.pickle

It takes the lock, then does what it reads, a line each: ``shell COMMAND`` on all masters, ``breakable COMMAND``
likewise, ``push FILE TARGET`` to the first. It says what became of each on a line of JSON. At the end of input it
gives the lock back.
"""

# ruff: noqa: E402 - what follows the patch, on purpose

from gevent import monkey

monkey.patch_all()

import hashlib
import json
import os
import pickle
import select
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

from pyinfra.operations import server

from haplane.bundle.manifest import BundleFile
from haplane.config.model import Inventory
from haplane.domain.progress import silent
from haplane.errors import HaplaneError
from haplane.remote.lock import Lock, locked
from haplane.remote.push import Push
from haplane.remote.session import deploy


def main() -> None:
    inventory: Inventory = pickle.loads(Path(sys.argv[1]).read_bytes())
    try:
        with locked(inventory, inventory.hosts, "haplane up theirs.py", silent) as lock:
            say("held")
            for line in lines():
                try:
                    act(lock, *line.split(" ", 1))
                    say("done")
                except HaplaneError as error:
                    say(str(error))
                    raise
    except HaplaneError as error:
        say(f"{type(error).__name__}: {error}")
        sys.exit(int(error.exit_code))


def act(lock: Lock, verb: str, rest: str) -> None:
    if verb != "push":
        with lock.breaking_off() if verb == "breakable" else nullcontext():
            deploy(lock.inventory.masters, shell, silent, command=rest)
        return
    source, target = rest.split()
    size = Path(source).stat().st_size
    sha256 = hashlib.sha256(Path(source).read_bytes()).hexdigest()
    file = BundleFile(
        component="any", path=target, sha256=sha256, size=size, mode=0o644, stored=Path(source).name,
        stored_size=size, compression="none", roles=("master",),
    )  # fmt: skip
    Push(lock.inventory.masters[0], Path(source).parent, [file], silent).wait()


def shell(command: str) -> None:
    server.shell(commands=[command], name="A change")


def lines() -> Iterator[str]:
    """Standard input, without blocking the other greenlets."""
    rest = b""
    while True:
        select.select([0], [], [])
        data = os.read(0, 4096)
        if not data:
            return
        *whole, rest = (rest + data).split(b"\n")
        yield from (line.decode() for line in whole)


def say(text: str) -> None:
    os.write(1, json.dumps(text).encode() + b"\n")


if __name__ == "__main__":
    main()
