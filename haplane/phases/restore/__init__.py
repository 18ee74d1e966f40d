"""Phases of `restore` alone: etcd's data on all members replaced by a snapshot's, at once; here too nobody is first.

Everything that takes long is done before anything stops: the snapshot is sent and rebuilt into data directories
beside the old ones. What is an outage is two renames between stopping and starting.
"""
