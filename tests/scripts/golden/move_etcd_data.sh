set -eu
ETCD_BOOTSTRAPPED='/etc/etcd/bootstrapped'
ETCD_DATA='/var/lib/etcd'
ETCD_MEMBER_DATA='/var/lib/etcd/member'
ETCD_USER='etcd'
timestamp='the timestamp'

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

if systemctl cat etcd.service >/dev/null 2>&1; then systemctl stop etcd.service; fi
if test -d "$ETCD_MEMBER_DATA"; then
    own_etcd_data "$ETCD_MEMBER_DATA"
    as_etcd install -d -m 700 "$ETCD_DATA/aside-$timestamp"
    as_etcd mv -T "$ETCD_MEMBER_DATA" "$ETCD_DATA/aside-$timestamp/member"
fi
rm -f "$ETCD_BOOTSTRAPPED"
