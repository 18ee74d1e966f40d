"""Phases of `node drain`, `node uncordon`, `node reboot`, `node patch`, `node remove` and `node discard`."""
