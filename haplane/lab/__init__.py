"""Real hosts on one plain machine: systemd-nspawn in network namespaces, made from an inventory.

The doors: :mod:`haplane.lab.lifecycle` (up, down, kill, start, cut, heal, wipe), :mod:`haplane.lab.status`,
:mod:`haplane.lab.driver` for drills.
"""
