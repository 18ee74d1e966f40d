"""The agent as one archive: haplane's own modules that it needs, and boto3 with what that needs, cut down to S3.

Unpacked on a host as ``/opt/haplane/agent-DIGEST/`` (then ``python3 -m compileall -q`` on it: the unit may not write
there), with ``/opt/haplane/agent`` a symbolic link to it that is switched by rename. The version before stays until
the next switch: a run that is under way goes on in the directory it started from.
"""

from __future__ import annotations

from dataclasses import dataclass, field

ROOT = "/opt/haplane"
LINK = f"{ROOT}/agent"
RUN = f"{LINK}/run"


@dataclass(frozen=True)
class AgentArchive:
    """``content`` is a .tar.gz; ``digest`` names what is in it: the same for the same modules, whoever packs them."""

    digest: str
    content: bytes = field(repr=False)

    @property
    def directory(self) -> str:
        """Where it belongs on a host."""
        return f"{ROOT}/agent-{self.digest}"


def agent_archive() -> AgentArchive:
    """Pack the agent from this checkout or wheel and its environment. Raises HaplaneError when boto3 is not whole."""
    raise NotImplementedError
