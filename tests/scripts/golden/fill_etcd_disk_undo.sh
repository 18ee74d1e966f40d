set -eu
ETCD_DATA='/var/lib/etcd'
FAULT_DISK_IMAGE='/var/lib/haplane/drill-disk'
FAULT_DISK_MOUNT='/run/haplane-fault/disk'
FAULT_DISK_UNDER='/run/haplane-fault/under'

under=$FAULT_DISK_UNDER
test -e "$under" || exit 0
systemctl stop etcd.service
if mountpoint -q "$under" && test "$(stat -c %d:%i "$under")" != "$(stat -c %d:%i "$ETCD_DATA")"; then
    rm -rf "$ETCD_DATA/haplane-fill"
    if test -e "$under/member.before-drill"; then
        rm -rf "$under/member.copied"
        cp -a -T "$ETCD_DATA/member" "$under/member.copied"
        sync
    fi
    umount "$ETCD_DATA"
fi
if test -e "$under/member.copied"; then
    rm -rf "$under/member.before-drill"
    mv -T "$under/member.copied" "$under/member"
fi
if mountpoint -q "$FAULT_DISK_MOUNT"; then umount "$FAULT_DISK_MOUNT"; fi
if mountpoint -q "$under"; then umount "$under"; fi
rmdir "$under" "$FAULT_DISK_MOUNT"
rm -f "$FAULT_DISK_IMAGE"
systemctl start --no-block etcd.service
