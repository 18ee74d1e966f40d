# Kill the API server that haplane runs here, as a crash would. Its kubelet starts it again. Others of that name, in
# pods of tenants, live on.
# uses: control_plane

control_plane crash 0 kube-apiserver
