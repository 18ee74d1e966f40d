"""The shape of names that hosts report: some of them reach a command line or a unit file on another host.

The part of a report that has a name of another shape is not read, because no cluster has such a name.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

NodeName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]
"""A DNS subdomain, as the API server demands it of a Node."""

MemberName = Annotated[str, Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,252})?$")]
"""An etcd member's name, empty for one that has never started."""

MemberUrl = Annotated[str, Field(pattern=r"^https?://[A-Za-z0-9.:\[\]-]{1,260}$")]
"""Where an etcd member is dialled: no path, no credentials."""

HexId = Annotated[str, Field(pattern=r"^[0-9a-f]{1,16}$")]
"""An etcd member's ID as etcdctl takes it."""

ServerName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,128}$")]
"""HAProxy's own rule for names of proxies and servers."""

UnitName = Annotated[str, Field(pattern=r"^[A-Za-z0-9:_.\\@-]{0,255}$")]
"""systemd's own rule for units; empty for one that systemd gave no name."""

ProgramName = Annotated[str, Field(pattern=r"^[\w-]{1,64}$")]
"""A command without its directory: it may stand in one that is shown."""

Revision = Annotated[int, Field(ge=0, le=1 << 53)]
"""An etcd revision. etcd counts to 2^63; no cluster gets to 2^53, and a restore adds to the highest one reported."""

Id = Annotated[int, Field(ge=0, lt=1 << 64)]
"""An etcd member's or cluster's ID."""
