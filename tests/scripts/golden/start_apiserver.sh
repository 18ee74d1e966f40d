set -eu
APISERVER_MANIFEST='/etc/kubernetes/manifests/kube-apiserver.yaml'
MOVED_APISERVER_MANIFEST='/etc/kubernetes/haplane/kube-apiserver.yaml'

test ! -e "$MOVED_APISERVER_MANIFEST" || mv -f "$MOVED_APISERVER_MANIFEST" "$APISERVER_MANIFEST"
systemctl restart kubelet.service
