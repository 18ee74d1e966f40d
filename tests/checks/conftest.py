"""Suites of users are run by the tests, not among them."""

collect_ignore = ["example_suite"]
