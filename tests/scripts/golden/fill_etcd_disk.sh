set -eu
DEADLINE_MARK='deadline passed:'
ETCD_DATA='/var/lib/etcd'
ETCD_HEALTHCHECK_CLIENT_STEM='/etc/etcd/pki/healthcheck-client'
ETCD_MEMBER_CA_CRT='/etc/etcd/pki/ca.crt'
ETCD_MEMBER_DATA='/var/lib/etcd/member'
ETCD_USER='etcd'
FAULT_DISK_IMAGE='/var/lib/haplane/drill-disk'
FAULT_DISK_MOUNT='/run/haplane-fault/disk'
FAULT_DISK_UNDER='/run/haplane-fault/under'

wait_for() (
    seconds=$1 what=$2 deadline=$(($(date +%s) + $1))
    shift 2
    until output=$("$@" 2>&1); do
        if [ "$(date +%s)" -ge "$deadline" ]; then
            echo "$DEADLINE_MARK not within $seconds s: $what: $(printf '%s' "$output" | tail -n 1)" >&2
            exit 1
        fi
        sleep 0.3
    done
)

local_etcdctl() (
    seconds=$1
    shift
    etcdctl --endpoints=https://127.0.0.1:2379 --cacert="$ETCD_MEMBER_CA_CRT" --command-timeout="${seconds}s" \
        --cert="$ETCD_HEALTHCHECK_CLIENT_STEM.crt" --key="$ETCD_HEALTHCHECK_CLIENT_STEM.key" "$@"
)

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
