set -eu
APISERVER_MANIFEST='/etc/kubernetes/manifests/kube-apiserver.yaml'
KUBELET_SERVICE='/etc/systemd/system/kubelet.service'
MOVED_APISERVER_MANIFEST='/etc/kubernetes/haplane/kube-apiserver.yaml'
control_plane_program='the control_plane_program'

control_plane() {
    python3 -I -c "$control_plane_program" "$@"
}

systemctl stop kubelet.service 2>/dev/null || test ! -e "$KUBELET_SERVICE"
if [ -e "$APISERVER_MANIFEST" ]; then
    mv -f "$APISERVER_MANIFEST" "$MOVED_APISERVER_MANIFEST"
    sync "$MOVED_APISERVER_MANIFEST"
fi
ctr --connect-timeout 5s version >/dev/null
control_plane kill 100 kube-apiserver kube-controller-manager kube-scheduler
