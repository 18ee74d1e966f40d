"""Packages, configuration, keys: everything small, on all hosts at once."""

from __future__ import annotations

from haplane.context.phase import Phase
from haplane.domain.plan import Kind
from haplane.procedures.prepare_hosts import prepare_hosts

PREPARE_HOSTS = Phase("Prepare hosts", (Kind.PACKAGES, Kind.FILES, Kind.KEYS), prepare_hosts)
