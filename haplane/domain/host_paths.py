"""Every path on a host that haplane writes, reads or removes, each once and by its full name.

A name ends in what is there: ``_KUBECONFIG``, ``_YAML``, ``_CRT``, ``_KEY``. ``_STEM`` is a pair's path without its
suffix (``.crt`` or ``.pub``, and ``.key``); a name without a suffix is a directory, which never ends in a slash.

What is sent to hosts as a program cannot import this; tests/domain/test_host_paths.py holds such copies to it.
"""

from __future__ import annotations

BINARIES = "/usr/local/bin"
SYSTEMD_UNITS = "/etc/systemd/system"

# kubeadm's
KUBERNETES = "/etc/kubernetes"
ADMIN_KUBECONFIG = f"{KUBERNETES}/admin.conf"
SUPER_ADMIN_KUBECONFIG = f"{KUBERNETES}/super-admin.conf"
CONTROLLER_MANAGER_KUBECONFIG = f"{KUBERNETES}/controller-manager.conf"
SCHEDULER_KUBECONFIG = f"{KUBERNETES}/scheduler.conf"
KUBELET_KUBECONFIG = f"{KUBERNETES}/kubelet.conf"
BOOTSTRAP_KUBECONFIG = f"{KUBERNETES}/bootstrap-kubelet.conf"
KUBECONFIGS = f"{KUBERNETES}/*.conf"
COMPONENT_KUBECONFIGS = (CONTROLLER_MANAGER_KUBECONFIG, SCHEDULER_KUBECONFIG)

STATIC_PODS = f"{KUBERNETES}/manifests"
APISERVER_MANIFEST = f"{STATIC_PODS}/kube-apiserver.yaml"
CONTROLLER_MANAGER_MANIFEST = f"{STATIC_PODS}/kube-controller-manager.yaml"
SCHEDULER_MANIFEST = f"{STATIC_PODS}/kube-scheduler.yaml"
CONTROL_PLANE_MANIFESTS = (APISERVER_MANIFEST, CONTROLLER_MANAGER_MANIFEST, SCHEDULER_MANIFEST)

KUBERNETES_PKI = f"{KUBERNETES}/pki"
KUBERNETES_CA_STEM = f"{KUBERNETES_PKI}/ca"
KUBERNETES_CA_CRT = f"{KUBERNETES_CA_STEM}.crt"
FRONT_PROXY_CA_STEM = f"{KUBERNETES_PKI}/front-proxy-ca"
ETCD_CA_STEM = f"{KUBERNETES_PKI}/etcd/ca"
ETCD_CA_CRT = f"{ETCD_CA_STEM}.crt"
SERVICE_ACCOUNT_STEM = f"{KUBERNETES_PKI}/sa"
APISERVER_CRT = f"{KUBERNETES_PKI}/apiserver.crt"
APISERVER_KUBELET_CLIENT_CRT = f"{KUBERNETES_PKI}/apiserver-kubelet-client.crt"
FRONT_PROXY_CLIENT_CRT = f"{KUBERNETES_PKI}/front-proxy-client.crt"
APISERVER_ETCD_CLIENT_STEM = f"{KUBERNETES_PKI}/apiserver-etcd-client"
APISERVER_ETCD_CLIENT_CRT = f"{APISERVER_ETCD_CLIENT_STEM}.crt"

# the kubelet's
KUBELET = "/var/lib/kubelet"
KUBELET_CONFIG_YAML = f"{KUBELET}/config.yaml"
KUBELET_FLAGS_ENV = f"{KUBELET}/kubeadm-flags.env"
KUBELET_PODS = f"{KUBELET}/pods"
KUBELET_PLUGINS = f"{KUBELET}/plugins"
KUBELET_PLUGIN_REGISTRY = f"{KUBELET}/plugins_registry"
KUBELET_PKI = f"{KUBELET}/pki"
KUBELET_CLIENT_PEM = f"{KUBELET_PKI}/kubelet-client-current.pem"  # a link: the kubelet makes a file for each renewal
KUBELET_SERVER_PEM = f"{KUBELET_PKI}/kubelet-server-current.pem"  # the same, of a kubelet that requests its own
KUBELET_SERVING_STEM = f"{KUBELET_PKI}/kubelet"  # where the kubelet looks by itself, and signs one if there is none
KUBELET_SERVING_CRT = f"{KUBELET_SERVING_STEM}.crt"
KUBELET_SERVING_KEY = f"{KUBELET_SERVING_STEM}.key"
KUBELET_SERVICE = f"{SYSTEMD_UNITS}/kubelet.service"

# haplane's, beside kubeadm's
HAPLANE = f"{KUBERNETES}/haplane"
KUBEADM_CONFIG_YAML = f"{HAPLANE}/kubeadm.yaml"
KUBEADM_PATCHES = f"{HAPLANE}/patches"
KUBELET_PATCH_JSON = f"{KUBEADM_PATCHES}/kubeletconfiguration+merge.json"
KUBELET_SETTINGS_JSON = f"{HAPLANE}/kubelet.json"
"""What the node's kubelet was configured from: kubeadm takes it from the cluster, so nothing else shows its age."""

JOIN_CONFIG_YAML = f"{HAPLANE}/join.yaml"
AUTHENTICATION_YAML = f"{HAPLANE}/authentication.yaml"
AUDIT_POLICY_YAML = f"{HAPLANE}/audit-policy.yaml"
ENCRYPTION_YAML = f"{HAPLANE}/encryption.yaml"
AUDIT_LOGS = "/var/log/kubernetes/audit"
AUDIT_LOG = f"{AUDIT_LOGS}/audit.log"
SIGNING_STEM = f"{HAPLANE}/signing"
SIGNING_PUB = f"{SIGNING_STEM}.pub"
MOVED_MANIFESTS = {path: f"{HAPLANE}/{path.rpartition('/')[2]}" for path in CONTROL_PLANE_MANIFESTS}
"""Where a static pod's manifest is while a restart or a restore keeps the kubelet from running it."""

MOVED_APISERVER_MANIFEST = MOVED_MANIFESTS[APISERVER_MANIFEST]
MOVED_CONTROLLER_MANAGER_MANIFEST = MOVED_MANIFESTS[CONTROLLER_MANAGER_MANIFEST]
MOVED_SCHEDULER_MANIFEST = MOVED_MANIFESTS[SCHEDULER_MANIFEST]
STOPPED_STATIC_PODS = f"{HAPLANE}/stopped"
ROTATION = f"{HAPLANE}/rotation"  # new keys of a rotation that is under way
ROTATION_ENCRYPTION_YAML = f"{ROTATION}/encryption.yaml"
ROTATION_SIGNING_STEM = f"{ROTATION}/signing"
ROTATION_SERVED = f"{ROTATION}/served"  # the digest of the ENCRYPTION_YAML that the API server runs with
ROTATION_FILES = {
    "signing": (f"{ROTATION_SIGNING_STEM}.key", f"{ROTATION_SIGNING_STEM}.pub"),
    "encryption": (ROTATION_ENCRYPTION_YAML,),
}

# etcd's
ETCD_DATA = "/var/lib/etcd"
ETCD_MEMBER_DATA = f"{ETCD_DATA}/member"
ETCD_WAL = f"{ETCD_MEMBER_DATA}/wal"
ETCD = "/etc/etcd"
ETCD_PKI = f"{ETCD}/pki"
ETCD_MEMBER_CA_CRT = f"{ETCD_PKI}/ca.crt"
ETCD_SERVER_STEM = f"{ETCD_PKI}/server"
ETCD_PEER_STEM = f"{ETCD_PKI}/peer"
ETCD_OWN_KEYS = (f"{ETCD_SERVER_STEM}.key", f"{ETCD_PEER_STEM}.key")
"""The keys that etcd itself reads, as its own user; root reads the others in ETCD_PKI."""

ETCD_HEALTHCHECK_CLIENT_STEM = f"{ETCD_PKI}/healthcheck-client"
ETCD_HAPROXY_PEM = f"{ETCD_PKI}/haproxy.pem"  # haproxy wants the certificate and its key in one file
HAPROXY_ETCD_KEYS = (ETCD_MEMBER_CA_CRT, ETCD_HAPROXY_PEM)
"""What haproxy reads besides its configuration where it is a master's etcd endpoint, and only when it is loaded."""

ETCD_SERVICE = f"{SYSTEMD_UNITS}/etcd.service"
ETCD_BOOTSTRAPPED = f"{ETCD}/bootstrapped"
ETCD_BOOTSTRAP_DROP_IN = "/run/systemd/system/etcd.service.d/haplane-bootstrap.conf"

# haplane's own, on every host
SETTINGS = "/etc/haplane"
STATE = "/var/lib/haplane"
LOCKS = "/run/haplane"
IMPORT_TURN = "/run/haplane-import"
FAULT = "/run/haplane-fault"  # of a drill: gone with a reboot, as the fault is
FAULT_UNDO = f"{FAULT}/undo"
FAULT_DISK_UNDER = f"{FAULT}/under"  # what the small disk of a drill hides
FAULT_DISK_MOUNT = f"{FAULT}/disk"
FAULT_SNAPSHOT = f"{FAULT}/snapshot.db"
FAULT_ETCD_DROP_IN = "/run/systemd/system/etcd.service.d/haplane-drill.conf"
FAULT_DISK_IMAGE = f"{STATE}/drill-disk"
DRILL_PROGRAMS = f"{STATE}/drill"
DRILL_ATTACHER = f"{DRILL_PROGRAMS}/csi-attacher"
DRILL_VOLUME_PLUGIN = f"{DRILL_PROGRAMS}/volume-plugin"
PUSHED_JSON = f"{STATE}/stamps.json"
MADE_JSON = f"{STATE}/made.json"
RESTORE_JOURNAL_JSON = f"{STATE}/restore.json"
PACKAGES = f"{STATE}/packages"
VERSIONS = f"{STATE}/versions"  # what an upgrade has staged, and what it has replaced, until its end
RESET = "/var/lib/haplane-reset"

# the runtime's and the pod network's
CONTAINERD_CONFIG_TOML = "/etc/containerd/config.toml"
CONTAINERD_REGISTRIES = "/etc/containerd/certs.d"
CONTAINERD_SERVICE = f"{SYSTEMD_UNITS}/containerd.service"
CNI_CONFIG = "/etc/cni/net.d"
FLANNEL_SUBNET = "/run/flannel/subnet.env"
FLANNEL_CONFLIST = f"{CNI_CONFIG}/10-flannel.conflist"
CNI_NETWORKS = "/var/lib/cni/networks"
CNI_BRIDGE_LOCK = f"{CNI_NETWORKS}/cbr0/lock"
IMAGE_ARCHIVES = f"{STATE}/images"

# the load balancers'
HAPROXY_CFG = "/etc/haproxy/haproxy.cfg"
HAPROXY_REMEMBER_SERVERS = "/etc/haproxy/remember-servers"
HAPROXY_RUN = "/run/haplane-haproxy"
HAPROXY_ADMIN_SOCKET = f"{HAPROXY_RUN}/admin.sock"
HAPROXY_SERVER_STATES = f"{HAPROXY_RUN}/server-states"
KEEPALIVED_CONF = "/etc/keepalived/keepalived.conf"
HAPROXY_DROP_IN = f"{SYSTEMD_UNITS}/haproxy.service.d/haplane.conf"
KEEPALIVED_DROP_IN = f"{SYSTEMD_UNITS}/keepalived.service.d/haplane.conf"
KEEPALIVED_CHECK = "/etc/keepalived/haproxy-accepts"
KEEPALIVED_WORK_CHECK = "/etc/keepalived/haproxy-works"
VRRP_FILTER_NFT = f"{SETTINGS}/vrrp.nft"
VRRP_FILTER_SERVICE = f"{SYSTEMD_UNITS}/haplane-vrrp.service"

# the operating system's
LOGIND_KUBELET_CONF = "/etc/systemd/logind.conf.d/99-kubelet.conf"  # the kubelet's, for its graceful shutdown
BOOT_ID = "/proc/sys/kernel/random/boot_id"
DPKG_INFO = "/var/lib/dpkg/info"
REBOOT_REQUIRED = "/var/run/reboot-required"
SYSCTL_CONF = "/etc/sysctl.d/99-haplane.conf"
KERNEL_MODULES_CONF = "/etc/modules-load.d/haplane.conf"

# snapshots'
SNAPSHOT_SETTINGS_JSON = f"{SETTINGS}/snapshots.json"
S3_CREDENTIALS = f"{SETTINGS}/s3-credentials"
S3_CA_CRT = f"{SETTINGS}/s3-ca.crt"
SEALED_KEYS_AGE = f"{SETTINGS}/sealed-keys.age"
SEALED_KEYS_JSON = f"{SETTINGS}/sealed-keys.json"
MEMBER_SIGNING_KEY = f"{SETTINGS}/signing.key"  # one member's own, which signs its snapshots
MEMBER_SIGNER_JSON = f"{SETTINGS}/signing.json"  # what the key at SIGNING_STEM certifies of it
SNAPSHOT_SERVICE = f"{SYSTEMD_UNITS}/haplane-snapshot.service"
SNAPSHOT_TIMER = f"{SYSTEMD_UNITS}/haplane-snapshot.timer"
SNAPSHOTS = f"{STATE}/snapshots"
SNAPSHOT_STATE_JSON = f"{STATE}/snapshot-state.json"
AGENT_ROOT = "/opt/haplane"
AGENT = f"{AGENT_ROOT}/agent"
AGENT_RUN = f"{AGENT}/run"


def is_private(path: str) -> bool:
    """Whether the file at ``path`` holds a secret and must be root's alone (0600); the others may be read (0644)."""
    return path.endswith(".key") or path in (ENCRYPTION_YAML, ETCD_HAPROXY_PEM)


def staged(version: str, path: str) -> str:
    """Where the file for ``path`` of that Kubernetes version waits until it takes its place."""
    return f"{VERSIONS}/{version}{path}"


def replaced_by(version: str) -> str:
    """The directory of the files whose places those of that version took, each below it by its whole path."""
    return f"{VERSIONS}/before-{version}"


def is_below(path: str, directory: str) -> bool:
    """Whether ``path`` is in ``directory`` or deeper."""
    return path.startswith(f"{directory}/")
