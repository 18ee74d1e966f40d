"""Node objects of hosts that are gone, or were reinstalled."""

from __future__ import annotations

from haplane.context.phase import Phase
from haplane.domain.plan import Kind
from haplane.procedures.delete_nodes import delete_nodes

DELETE_NODES = Phase("Delete stale Node objects", (Kind.DELETE_NODE,), delete_nodes)
