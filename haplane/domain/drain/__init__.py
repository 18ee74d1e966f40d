"""What it costs to take a node out of service: read from API objects, decided before anything moves. Pure."""

from __future__ import annotations
