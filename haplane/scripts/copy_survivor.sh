# Write the data of the member on this host, which is stopped, to standard output as a tar.

if systemctl is-active --quiet etcd.service; then
    echo "etcd runs but does not respond: stop it first" >&2
    exit 1
fi
tar --create --directory="$ETCD_DATA" member
