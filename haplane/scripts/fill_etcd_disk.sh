# Put this etcd member on a small file system of its own and fill that. The member's data on its own disk are moved
# away, so that it cannot start with what would be older than it has acknowledged: fill_etcd_disk_undo.sh copies back.
# Loop device: a host in a container has none and uses memory.
# uses: wait_for local_etcdctl as_etcd

test ! -e "$FAULT_DISK_UNDER" || { echo "$FAULT_DISK_UNDER is there: an earlier drill was not undone"; exit 1; }
size=$(($(du -s --block-size=1M "$ETCD_MEMBER_DATA" | cut -f1) + 160))
own_etcd_data "$ETCD_MEMBER_DATA"
mkdir -p "$FAULT_DISK_UNDER" "$FAULT_DISK_MOUNT"
mount --bind "$ETCD_DATA" "$FAULT_DISK_UNDER"
mount --make-private "$FAULT_DISK_UNDER" # else, where etcd's directory is a mount itself, this one is covered as well
systemctl stop etcd.service
if test -e /dev/loop-control; then
    rm -f "$FAULT_DISK_IMAGE"
    fallocate -l "${size}M" "$FAULT_DISK_IMAGE"
    mkfs.ext4 -q -F -m 0 "$FAULT_DISK_IMAGE"
    mount -o loop "$FAULT_DISK_IMAGE" "$FAULT_DISK_MOUNT"
else
    mount -t tmpfs -o "size=${size}m" tmpfs "$FAULT_DISK_MOUNT"
fi
chown "$ETCD_USER:$ETCD_USER" "$FAULT_DISK_MOUNT"
chmod 700 "$FAULT_DISK_MOUNT"
(cd "$FAULT_DISK_MOUNT" && as_etcd cp -a -T "$ETCD_MEMBER_DATA" member)
mount --move "$FAULT_DISK_MOUNT" "$ETCD_DATA" 2>/dev/null || mount --bind "$FAULT_DISK_MOUNT" "$ETCD_DATA"
(cd "$FAULT_DISK_UNDER" && as_etcd mv -T member member.before-drill)
systemctl start --no-block etcd.service
wait_for 40 "etcd serves from the small disk" local_etcdctl 2 get haplane-health
if as_etcd dd if=/dev/zero of="$ETCD_DATA/haplane-fill" conv=excl bs=1M 2>/dev/null; then
    echo "the disk did not become full"
    exit 1
fi
