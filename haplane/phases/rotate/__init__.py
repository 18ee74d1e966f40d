"""Phases of `keys rotate`."""
