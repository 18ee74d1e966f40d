"""The cluster's keys, sealed on a master: only the ciphertext is ever seen from here."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from haplane.config.model import Host
from haplane.host_programs import parts, program
from haplane.remote.openssh import failed, run

AGE_HEADER = b"age-encryption.org/v1\n"


def seal(master: Host, digests: Mapping[str, str], recipients: Sequence[str]) -> bytes:
    """A tar of the files in ``digests`` (SHA-256 by path) as they are on the master, encrypted to ``recipients``.

    Raises HaplaneError when one of them is not there, or differs.
    """
    wanted = json.dumps(digests).encode()
    sealed = run(master, "python3", "-I", "-c", program(*parts("remote", "seal")), " ".join(recipients), stdin=wanted)
    if not sealed.startswith(AGE_HEADER):
        raise failed(master, "age", "its output is not an age file")
    return sealed
