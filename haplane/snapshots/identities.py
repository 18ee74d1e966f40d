"""The operator's age identity: made, proven to decrypt, and remembered as proven. Controller only.

A snapshot is worth what its identity is worth, so none is sealed to a recipient whose identity was never seen work.
What is remembered is public: the recipient alone.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import pyrage

from haplane.errors import BadInput, HaplaneError

CHALLENGE_BYTES = 32
LONGEST_FILE = 1 << 20
PREFIX = "AGE-SECRET-KEY-1"


def new_identity(file: Path, now: datetime) -> str:
    """Write a new identity as age-keygen does, root's or the user's alone, and return its recipient.

    Raises BadInput when the file exists or cannot be written.
    """
    identity = pyrage.x25519.Identity.generate()
    recipient = str(identity.to_public())
    text = f"# created: {now.isoformat(timespec='seconds')}\n# public key: {recipient}\n{identity}\n"
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as writing:
            writing.write(text)
            writing.flush()
            os.fsync(writing.fileno())
    except FileExistsError:
        raise BadInput(
            "that file exists, and an identity is never overwritten",
            where=str(file),
            why="snapshots that were encrypted to it could never be read again",
            next_step="give the name of a new file",
        ) from None
    except OSError as error:
        raise BadInput("the file cannot be written", where=str(file), why=str(error)) from None
    return recipient


def read_identities(file: Path) -> tuple[pyrage.x25519.Identity, ...]:
    """The identities in an age identity file. Raises BadInput, quoting nothing of it, when it holds anything else."""
    try:
        text = file.read_bytes()[:LONGEST_FILE].decode()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise BadInput("the identity cannot be read", where=str(file), why=why) from None
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    try:
        found = tuple(pyrage.x25519.Identity.from_str(line) for line in lines)
    except pyrage.IdentityError:
        found = ()
    if not found:
        raise BadInput(
            "not an age identity",
            where=str(file),
            why=f"a line of such a file starts with {PREFIX}",
            next_step="give the file that `haplane keys new` wrote; `age -d` one that a passphrase protects",
        )
    return found


def prove(identities: Iterable[pyrage.x25519.Identity]) -> tuple[str, ...]:
    """Encrypt a challenge to each identity's recipient, decrypt it again, and remember those recipients.

    Raises HaplaneError when what comes out is not what went in.
    """
    recipients = []
    for identity in identities:
        recipient = identity.to_public()
        challenge = secrets.token_bytes(CHALLENGE_BYTES)
        if pyrage.decrypt(pyrage.encrypt(challenge, [recipient]), [identity]) != challenge:
            raise HaplaneError("the identity does not decrypt what is encrypted to it", where=str(recipient))
        recipients.append(str(recipient))
    _remember(recipients)
    return tuple(recipients)


def proven() -> frozenset[str]:
    """Recipients whose identity has decrypted a challenge on this machine."""
    try:
        told = json.loads(_memory().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return frozenset()
    return frozenset(told) if isinstance(told, list) and all(isinstance(one, str) for one in told) else frozenset()


def _remember(recipients: Iterable[str]) -> None:
    memory = _memory()
    known = sorted(proven() | set(recipients))
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        fresh = memory.with_name(f"{memory.name}.{os.getpid()}")
        fresh.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
        fresh.replace(memory)
    except OSError as error:
        raise HaplaneError(
            "it works, but that cannot be remembered",
            where=str(memory),
            why=str(error),
            next_step="make that directory writable, or set XDG_STATE_HOME to one that is",
        ) from None


def _memory() -> Path:
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "haplane" / "proven-recipients.json"
