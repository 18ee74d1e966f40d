"""The API server of a master, as its host reports it: the shape of ``facts/on_host/apiserver.py``."""

from __future__ import annotations

from haplane.domain.reported import Observed, ShortText

REFUSED_PROBES = ("/readyz: HTTP 401", "/readyz: HTTP 403")
"""Of an API server that does not know, or allow, whoever has no credentials: haproxy is one of those."""


class Apiserver(Observed):
    """/readyz of the API server on this host; where it is not ``ready``, ``why``, and its log's ``last_error``.

    The last is "" while something listens. ``forbids``: what it answers admin.conf that may not even look;
    ``rejects``: the status of another answer than that. ``undecodable``: why it cannot read a Secret that is in etcd.
    """

    ready: bool
    forbids: ShortText = ""
    rejects: ShortText = ""
    why: ShortText = ""
    last_error: ShortText = ""
    undecodable: ShortText = ""

    @property
    def refuses_probes(self) -> bool:
        """Whether it answers, and lets nobody without credentials ask /readyz: so it may well be ready."""
        return self.why in REFUSED_PROBES
