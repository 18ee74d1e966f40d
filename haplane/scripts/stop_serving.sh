# Stop the kubelet and the control plane of this master. The kubelet first, so that nobody starts it again; without the
# manifest not even a power cut brings the API server back. They are killed: what they would still finish in their grace
# period is written into data that is about to go.
# $manifest: the API server's
# $moved: where it is moved to
# uses: control_plane

systemctl stop kubelet.service 2>/dev/null || test ! -e "$KUBELET_SERVICE"
if [ -e "$manifest" ]; then mv -f "$manifest" "$moved"; sync "$moved"; fi
ctr --connect-timeout 5s version >/dev/null
control_plane kill 100 kube-apiserver kube-controller-manager kube-scheduler
