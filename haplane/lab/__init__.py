"""Real hosts on one plain machine, made from an inventory: containers of systemd-nspawn, or virtual machines.

Entry points: :mod:`haplane.lab.lifecycle` (up, down, kill, start, cut, heal, wipe), :mod:`haplane.lab.status`,
:mod:`haplane.machines.lab` for drills.
"""
