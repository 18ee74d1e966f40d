"""Phases of `restore` alone."""
