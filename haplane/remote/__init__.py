"""Hosts over SSH: connections, the lock, streams, and all that touches pyinfra's State."""
