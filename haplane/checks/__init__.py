"""What ``haplane verify`` checks: facts of every host, what is expected of them, and the suites that compare."""
