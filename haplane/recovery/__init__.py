"""What to restore: which data and keys, from where, opened and verified before anything stops."""
