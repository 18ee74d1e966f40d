# Stop etcd and move its data to a directory of their own. The mark goes last: interrupted before that, the member
# refuses to start empty.
# $timestamp: names the directory

if systemctl cat etcd.service >/dev/null 2>&1; then systemctl stop etcd.service; fi
if test -d "$ETCD_MEMBER_DATA"; then
    install -d -m 700 "$ETCD_DATA/aside-$timestamp"
    mv "$ETCD_MEMBER_DATA" "$ETCD_DATA/aside-$timestamp/"
fi
rm -f "$ETCD_BOOTSTRAPPED"
