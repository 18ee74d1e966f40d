"""pyinfra operations: each changes one thing on a host."""
