set -eu
ETCD_DATA='/var/lib/etcd'
ETCD_MEMBER_DATA='/var/lib/etcd/member'
previous='the previous'
staging='the staging'

test -e "$staging/ready"
systemctl kill --signal=SIGKILL etcd.service 2>/dev/null || : # it is not running; the next line fails if it cannot stop
systemctl stop etcd.service
if [ -d "$staging/member" ]; then
    if [ -d "$ETCD_MEMBER_DATA" ]; then
        install -d -m 700 "$previous"
        mv -T "$ETCD_MEMBER_DATA" "$previous/member"
    fi
    mv -T "$staging/member" "$ETCD_MEMBER_DATA"
    sync "$ETCD_DATA"
fi
