# Undo fill_etcd_disk.sh: what the member has written since is copied back to its own disk. May be run again. The small
# disk is known by what it hides, not by a file on it, which etcd could have put anywhere.
# uses: as_etcd

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
