# Write the API server's manifest again and restart it, even where the manifest stays the same. The scheduler and the
# controller manager end before it and stay away; their leases are free. What was moved is moved back when this fails.
# A configuration that kubeadm refuses stops nothing, and so does a file that is missing; kubeadm makes what is its own.
# $port: the API server's on this host
# uses: control_plane stop_controllers local_apiserver note
#
# A kubelet that has got no answer of its API server since it started ends no static pod and starts none in the place of
# another (sourcesReady in pkg/kubelet/kubelet_pods.go): where that one does not respond, the kubelet starts anew.

kubeadm init phase control-plane all --config "$KUBEADM_CONFIG_YAML" --dry-run >/dev/null
for stem in apiserver apiserver-kubelet-client front-proxy-client; do
    if ! [ -s "$KUBERNETES_PKI/$stem.crt" ] || ! [ -s "$KUBERNETES_PKI/$stem.key" ]; then
        kubeadm init phase certs "$stem" --config "$KUBEADM_CONFIG_YAML"
    fi
done
for file in "$KUBERNETES_CA_CRT" "$ETCD_CA_CRT" "$APISERVER_ETCD_CLIENT_CRT" "$SERVICE_ACCOUNT_STEM.key" \
    "$SERVICE_ACCOUNT_STEM.pub" "$ENCRYPTION_YAML" "$AUTHENTICATION_YAML" "$AUDIT_POLICY_YAML"; do
    if ! [ -s "$file" ]; then
        echo "$file is missing: the API server would not start again" >&2
        exit 1
    fi
done
trap 'test $? = 0 || { start_again; systemctl start kubelet.service; }' EXIT
if apiserver_answers 10 2>/dev/null; then
    stop_controllers
    control_plane stop 120 kube-apiserver
else
    systemctl stop kubelet.service
    control_plane away 0 kube-apiserver kube-controller-manager kube-scheduler
    control_plane kill 60 kube-apiserver kube-controller-manager kube-scheduler
    free_leases
fi
kubeadm init phase control-plane apiserver --config "$KUBEADM_CONFIG_YAML"
note "$APISERVER_MANIFEST"
rm -f "$MOVED_APISERVER_MANIFEST"
systemctl start kubelet.service
