set -eu
ETCD_DATA='/var/lib/etcd'
ETCD_MEMBER_DATA='/var/lib/etcd/member'
ETCD_USER='etcd'
previous='the previous'
staging='the staging'

ensure_etcd_user() {
    getent group "$ETCD_USER" >/dev/null || /usr/sbin/groupadd --system "$ETCD_USER"
    getent passwd "$ETCD_USER" >/dev/null || /usr/sbin/useradd --system --gid "$ETCD_USER" --no-create-home \
        --home-dir "$ETCD_DATA" --shell /usr/sbin/nologin --comment "etcd, made by haplane" "$ETCD_USER"
}

own_etcd_data() {
    ensure_etcd_user
    install -d -m 700 -o "$ETCD_USER" -g "$ETCD_USER" "$ETCD_DATA"
    for owned in "$@"; do
        test ! -e "$owned" || chown -R -h "$ETCD_USER:$ETCD_USER" "$owned"
    done
}

# as_etcd WORDS...: run them as the user etcd. It may have put a link wherever root is about to write, move or remove
# something below its data directory; as itself it gets nowhere that it could not get before.
as_etcd() {
    setpriv --reuid="$ETCD_USER" --regid="$ETCD_USER" --clear-groups --inh-caps=-all --no-new-privs -- "$@"
}

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
