"""Phases of `reset`."""
