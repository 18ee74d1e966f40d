"""Runs on hosts as one program, with nothing but Python's standard library."""
