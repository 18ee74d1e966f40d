"""Scratch servers on this machine that prove that a snapshot can be restored and read."""
