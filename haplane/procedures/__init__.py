"""What several phases do to hosts, each in a module of its own. No phase imports another."""
