"""Snapshots as this machine sees them: the catalog, signatures, and the operator's age identity."""
