set -eu
KUBELET_SERVICE='/etc/systemd/system/kubelet.service'
control_plane_program='the control_plane_program'
manifest='the manifest'
moved='the moved'

control_plane() {
    python3 -I -c "$control_plane_program" "$@"
}

systemctl stop kubelet.service 2>/dev/null || test ! -e "$KUBELET_SERVICE"
if [ -e "$manifest" ]; then mv -f "$manifest" "$moved"; sync "$moved"; fi
ctr --connect-timeout 5s version >/dev/null
control_plane kill 100 kube-apiserver kube-controller-manager kube-scheduler
