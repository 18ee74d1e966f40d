"""Hosts that are virtual machines: a kernel, a clock, a page cache and a disk of their own."""
