# Stop the kubelet and the control plane of this master. The kubelet first, so that nobody starts it again; without the
# manifest not even a power cut brings the API server back. They are killed: what they would still finish in their grace
# period is written into data that is about to go.
# uses: control_plane

systemctl stop kubelet.service 2>/dev/null || test ! -e "$KUBELET_SERVICE"
if [ -e "$APISERVER_MANIFEST" ]; then
    mv -f "$APISERVER_MANIFEST" "$MOVED_APISERVER_MANIFEST"
    sync "$MOVED_APISERVER_MANIFEST"
fi
ctr --connect-timeout 5s version >/dev/null
control_plane kill 100 kube-apiserver kube-controller-manager kube-scheduler
