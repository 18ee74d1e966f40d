set -eu
ETCD_BOOTSTRAPPED='/etc/etcd/bootstrapped'
ETCD_DATA='/var/lib/etcd'
ETCD_MEMBER_DATA='/var/lib/etcd/member'
timestamp='the timestamp'

if systemctl cat etcd.service >/dev/null 2>&1; then systemctl stop etcd.service; fi
if test -d "$ETCD_MEMBER_DATA"; then
    install -d -m 700 "$ETCD_DATA/aside-$timestamp"
    mv "$ETCD_MEMBER_DATA" "$ETCD_DATA/aside-$timestamp/"
fi
rm -f "$ETCD_BOOTSTRAPPED"
