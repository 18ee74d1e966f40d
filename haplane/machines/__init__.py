"""Power and cables of hosts: what a drill may do (:mod:`.protocol`), and the drivers that do it (:mod:`.drivers`)."""
