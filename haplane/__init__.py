"""Highly available kubeadm control planes: set up, maintained, and tested by killing masters."""

__version__ = "0.1.0"
