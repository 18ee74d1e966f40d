"""The suites of ``haplane verify``: pytest files, run in a process of their own."""
