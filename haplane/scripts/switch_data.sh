# Stop etcd and put the new data in the place of the old, in steps that may be cut off anywhere and run again. Asked to
# stop, a member looks for another leader, and all of them stop: so it is killed. Its log is on disk.
# $staging: where the new data is
# $previous: where the old data is moved to
# uses: as_etcd

test -e "$staging/ready"
systemctl kill --signal=SIGKILL etcd.service 2>/dev/null || : # it is not running; the next line fails if it cannot stop
systemctl stop etcd.service
if [ -d "$staging/member" ]; then
    own_etcd_data "$ETCD_MEMBER_DATA" "$staging"
    if [ -d "$ETCD_MEMBER_DATA" ]; then
        as_etcd install -d -m 700 "$previous"
        as_etcd mv -T "$ETCD_MEMBER_DATA" "$previous/member"
    fi
    as_etcd mv -T "$staging/member" "$ETCD_MEMBER_DATA"
    sync "$ETCD_DATA"
fi
