# Start the API server whose manifest was moved. With a fresh kubelet: one that has seen the API server fail for a while
# waits for minutes before it tries again.

test ! -e "$MOVED_APISERVER_MANIFEST" || mv -f "$MOVED_APISERVER_MANIFEST" "$APISERVER_MANIFEST"
systemctl restart kubelet.service
