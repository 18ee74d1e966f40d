"""One thing that is wrong in an inventory file, in words: field, value, problem, remedy. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from haplane.errors import BadInput

SHOWN_CHARACTERS = 80
_SECRET_NAME = re.compile(r"password|passphrase|passwd|secret|token|credential", re.IGNORECASE)
_SECRET_VALUE = re.compile(r"AGE-SECRET-KEY-|PRIVATE KEY|\bAKIA[0-9A-Z]{16}\b|://[^/\s]*:[^/\s]*@", re.IGNORECASE)

_SECRET_GIVEN = re.compile(rf"({_SECRET_NAME.pattern})[\w-]*['\"]?\s*[=:,]\s*['\"]?\S", re.IGNORECASE)
"""In a text: a name like that and a value. The name alone, of a variable that is not set, helps."""


class Absent:
    """Stands for a value that is not there, where None could have been written."""


ABSENT = Absent()


@dataclass(frozen=True)
class Problem:
    """``field`` is written as in the file: ``masters: m1: ssh_port`` or ``cluster["endpoint"]``."""

    field: str
    value: object
    what: str
    remedy: str
    why: str | None = None

    def error(self, path: str) -> BadInput:
        """The same as haplane's error, naming the file."""
        value = "" if isinstance(self.value, Absent) else f" = {shown(self.field, self.value)}"
        return BadInput(
            f"{printable(self.field)}{value}: {self.what}", where=path, why=self.why, next_step=self.remedy
        )


def shown(field: str, value: object) -> str:
    """A value as one short line; never one that looks secret, never what is inside a list or mapping."""
    if _SECRET_NAME.search(field) or (isinstance(value, str) and _SECRET_VALUE.search(value)):
        return "(looks secret, not shown)"
    if isinstance(value, str):
        return f'"{printable(value)}"'
    if isinstance(value, int) and not -(10**30) < value < 10**30:
        return "(a huge number)"
    if value is None or type(value) in {bool, int, float, IPv4Address, IPv4Network}:
        return str(value)
    if type(value) in {list, tuple, dict, set, frozenset, bytes}:
        return f"({type(value).__name__} of {len(value)})"  # type: ignore[arg-type]  # each of these has a length
    return f"({type(value).__name__})"


def printable(text: str) -> str:
    """A text on one short line, whatever it holds."""
    shortened = text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "..."
    return shortened if shortened.isprintable() else shortened.encode("unicode_escape").decode("ascii")


def looks_secret(name: str) -> bool:
    """Whether a setting of this name would hold a secret."""
    return _SECRET_NAME.search(name) is not None


def without_secrets(text: str) -> str:
    """Someone else's message, unless it looks as if it quoted a secret."""
    quoted = _SECRET_VALUE.search(text) or _SECRET_GIVEN.search(text)
    return "(its message looks secret, not shown)" if quoted else text


def unknown(field: str, name: object, value: object, known: Iterable[str], *, kind: str = "setting") -> Problem:
    """The problem of a name nobody knows, with the nearest one that is known."""
    names = sorted(known)
    nearest = difflib.get_close_matches(str(name).lower(), names, 1, 0.6) if isinstance(name, str) else []
    if isinstance(name, str) and looks_secret(name):
        instead = "" if field.startswith("cluster") else "; use ssh_key, an ssh agent and passwordless sudo"
        remedy = f"remove it: an inventory holds no secrets{instead}"
    elif nearest:
        remedy = f"did you mean {nearest[0]}?"
    else:
        remedy = f"remove it, or use one of {', '.join(names)}"
    return Problem(field, value, f"unknown {kind}", remedy)
