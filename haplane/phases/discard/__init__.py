"""Phases of `node discard`."""
