"""Seconds after which pyinfra gives an operation up, by what it has to do.

Each is above the sum of the deadlines in the script that the operation runs: the script says what it waited for and
why that did not come, while a timeout here gives no reason and leaves the command running. So these are for a host or
a program that hangs.
"""

from __future__ import annotations

LOCAL = 60
"""Files, systemd, one program: nothing that waits for another host. A slow disk takes seconds."""

MANY_FILES = 180
"""Hundreds of small files, each synced; or old data of gigabytes, removed."""

SERVER_ANSWER = 30
"""haproxy's admin socket: 5 s for each command."""

ADDRESS = 90
"""Another load balancer takes the address within 10 s; the commands around that have 20 each."""

REQUEST = 90
"""A few requests to an API server, 20 s each, or a wait of at most 60 s for one."""

BINDING = 120
"""60 s for an API server to take the binding, whose last try is two requests of 20 s."""

LABELS = 330
"""60 s for nodes to register, 20 for labels and 20 for taints, each begun again for 60 s while the API breaks off."""

LABELS_OF_A_NODE = 100
"""20 s for its own labels; 20 for its taint, begun again for 60."""

NODES = 330
"""Two waits of 90 s for nodes and their pods, each begun again for 60 s while the API breaks off."""

REPLACED_PODS = 280
"""60 s for a node to register, then two waits of 90 s for its pods."""

PACKAGES = 600
"""A package manager that waits 300 s for its lock, then fetches and installs."""

PROCESS_END = 270
"""Static pods that end by themselves: the scheduler and the controller manager in 60 s, four requests of 20
that give their leases back, the API server in 100."""

CONTROL_PLANE_RESTART = 360
"""The same with 120 s for the API server, and kubeadm in between."""

APISERVER = 400
"""An API server that becomes ready in at most 110 s, 240 if it works on or its kubelet waits; kubeadm."""

CONTROLLER_RESTART = 480
"""60 s for one of the two to end, 90 to become healthy again, 240 if its kubelet waits, and three requests."""

CONTROLLERS = 420
"""kubeadm, then 90 s for the scheduler and the controller manager to become healthy, 240 if their kubelet waits."""

QUORUM = 90
"""80 s for a member to read through quorum."""

MEMBER_CHANGE = 150
"""130 s for etcd to accept a change, or a member to answer."""

LEARNER = 1800
"""A learner copies the database, as large as 8 GiB, over a network that may be slow; so does a defragmentation."""

COMPACTION = 300
"""280 s for all members to free the pages of what was compacted."""

KUBELET = 120
"""kubeadm, then 60 s for a kubelet to be healthy and 30 to serve its certificate."""

KUBEADM_INIT = 600
"""kubeadm waits 240 s for a control plane, and as long again for an API server that answers by then: no try begins
later than 340 s after the first. Certificates and the kubelet take the rest."""

KUBEADM_JOIN = 240
"""kubeadm waits for a kubelet's bootstrap and its first answer."""

APPLY = 1800
"""Cluster-wide objects: about fifteen requests of 20 s and waits of 10, nearly each begun again for 60 s while the
API breaks off, 120 s for a pod network's kinds, and kubeadm's add-ons."""

RESTORE_DATA = 600
"""etcdutl rebuilds a database of gigabytes and hashes it."""

RESTORED_QUORUM = 300
"""Members that start together from new data, after the slowest of them."""

RESTORED_CONTROLLERS = 480
"""200 s for schedulers and controller managers that have waited for an API server, 240 if their kubelet waits."""

RESTORED_APISERVER = 480
"""220 s for an API server that fills its caches from etcd, 240 if it works on or its kubelet waits."""
