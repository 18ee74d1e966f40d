"""Phases of `node drain`, `node uncordon`, `node reboot`, `node patch` and `node remove`."""
