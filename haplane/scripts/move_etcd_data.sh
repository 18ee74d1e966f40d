# Stop etcd and move its data to a directory of their own. The mark goes last: interrupted before that, the member
# refuses to start empty.
# $timestamp: names the directory
# uses: as_etcd

if systemctl cat etcd.service >/dev/null 2>&1; then systemctl stop etcd.service; fi
if test -d "$ETCD_MEMBER_DATA"; then
    own_etcd_data "$ETCD_MEMBER_DATA"
    as_etcd install -d -m 700 "$ETCD_DATA/aside-$timestamp"
    as_etcd mv -T "$ETCD_MEMBER_DATA" "$ETCD_DATA/aside-$timestamp/member"
fi
rm -f "$ETCD_BOOTSTRAPPED"
