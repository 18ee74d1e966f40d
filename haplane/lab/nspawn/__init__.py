"""Hosts that boot their own init in containers of systemd-nspawn, on this machine's kernel."""
