"""The rules: pure functions of observations, without I/O or clock."""
