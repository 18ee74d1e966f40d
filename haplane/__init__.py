"""Highly available kubeadm control planes: stood up, looked after, and proven by killing masters."""

__version__ = "0.1.0"
