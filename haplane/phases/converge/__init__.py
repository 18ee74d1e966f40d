"""Phases that make hosts what the inventory says: for `up`, and for `restore` once etcd has its data."""
