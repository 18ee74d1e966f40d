"""Phases that have members take snapshots."""
