"""User names and passwords of mirrors and registries, from a netrc file."""

from __future__ import annotations

import netrc
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from haplane.errors import BadInput, Refused

GIVE = "correct it, or give another file with --netrc; a line is like: machine HOST login USER password PASSWORD"


@dataclass(frozen=True)
class Credentials:
    """``path`` is the netrc file; None when there is none. It is read when a host is first connected to."""

    path: Path | None = None

    @classmethod
    def find(cls, given: Path | None) -> Credentials:
        """The file given, that of $NETRC, or ~/.netrc if it exists. Raises BadInput when one named is not there."""
        named = given or (Path(os.environ["NETRC"]) if os.environ.get("NETRC") else None)
        if named is not None and not named.is_file():
            raise BadInput("there is no such netrc file", where=str(named), next_step="give another with --netrc")
        default = Path.home() / ".netrc"
        return cls(named or (default if default.is_file() else None))

    def of(self, host: str) -> tuple[str, str] | None:
        """User and password for that host; None without an entry, of which ``default`` is none.

        Raises BadInput when the file cannot be read, Refused when others can read a password that would be used.
        """
        if self.path is None:
            return None
        try:
            entry = netrc.netrc(self.path).hosts.get(host)
            mode = self.path.stat().st_mode
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not a text file"
            raise BadInput("the netrc file cannot be read", where=str(self.path), why=why, next_step=GIVE) from None
        except netrc.NetrcParseError as error:  # its text may quote what is in the file
            where = f"{self.path}, line {error.lineno}"
            why = "this line is not an entry"
            raise BadInput("the netrc file cannot be read", where=where, why=why, next_step=GIVE) from None
        if entry is None:
            return None
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise Refused(
                f"others can read the password of {host}", where=str(self.path), next_step=f"`chmod 600 {self.path}`"
            )
        user, _, password = entry
        return user, password or ""
