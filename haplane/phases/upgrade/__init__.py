"""Phases that bring a cluster to another version, without an outage where it has more than one master."""
