"""Phases of the verbs, in a folder for each: one file, one change of hosts."""
