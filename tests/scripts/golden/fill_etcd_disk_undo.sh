set -eu
ETCD_DATA='/var/lib/etcd'
ETCD_MEMBER_DATA='/var/lib/etcd/member'
ETCD_USER='etcd'
FAULT_DISK_IMAGE='/var/lib/haplane/drill-disk'
FAULT_DISK_MOUNT='/run/haplane-fault/disk'
FAULT_DISK_UNDER='/run/haplane-fault/under'

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

under=$FAULT_DISK_UNDER
test -e "$under" || exit 0
# etcd can reach what is below $under only from there.
on_own_disk() { (cd "$under" && as_etcd "$@"); }
systemctl stop etcd.service
if mountpoint -q "$under" && test "$(stat -c %d:%i "$under")" != "$(stat -c %d:%i "$ETCD_DATA")"; then
    as_etcd rm -rf "$ETCD_DATA/haplane-fill"
    if test -e "$under/member.before-drill"; then
        on_own_disk rm -rf member.copied
        on_own_disk cp -a -T "$ETCD_MEMBER_DATA" member.copied
        sync
    fi
    umount "$ETCD_DATA"
fi
if test -e "$under/member.copied"; then
    on_own_disk rm -rf member.before-drill
    on_own_disk mv -T member.copied member
fi
if mountpoint -q "$FAULT_DISK_MOUNT"; then umount "$FAULT_DISK_MOUNT"; fi
if mountpoint -q "$under"; then umount "$under"; fi
rmdir "$under" "$FAULT_DISK_MOUNT"
rm -f "$FAULT_DISK_IMAGE"
systemctl start --no-block etcd.service
