set -eu
CONTAINERD_CONFIG_TOML='/etc/containerd/config.toml'
ETCD_DATA='/var/lib/etcd'
ETCD_USER='etcd'
HAPROXY_CFG='/etc/haproxy/haproxy.cfg'
KEEPALIVED_CONF='/etc/keepalived/keepalived.conf'
KERNEL_MODULES_CONF='/etc/modules-load.d/haplane.conf'
SYSCTL_CONF='/etc/sysctl.d/99-haplane.conf'
kernel='the kernel'
owner='the owner'
units='the units'

ensure_etcd_user() {
    getent group "$ETCD_USER" >/dev/null || /usr/sbin/groupadd --system "$ETCD_USER"
    getent passwd "$ETCD_USER" >/dev/null || /usr/sbin/useradd --system --gid "$ETCD_USER" --no-create-home \
        --home-dir "$ETCD_DATA" --shell /usr/sbin/nologin --comment "etcd, made by haplane" "$ETCD_USER"
}

if [ "$owner" = etcd ]; then ensure_etcd_user; fi
umask 077
staging=$(mktemp -d /run/haplane.XXXXXX)
trap 'rm -rf "$staging"' EXIT
base64 -d | tar -x -p -m -C "$staging"
cd "$staging"
# Before the files have their names: interrupted in between, the next run finds them missing and does it again.
if [ "$kernel" = yes ]; then
    test ! -e ".$KERNEL_MODULES_CONF" || while read -r module; do
        case $module in '#'*) continue ;; esac
        modprobe "$module" 2>/dev/null || test -d "/sys/module/$module" ||
            echo "kernel module $module is not available"
    done < ".$KERNEL_MODULES_CONF"
    test ! -e ".$SYSCTL_CONF" || sysctl -q -e -p ".$SYSCTL_CONF"
fi
find . -type f | while read -r file; do
    target="/${file#./}"
    (umask 022 && mkdir -p "$(dirname "$target")")
    case $target in
    "$HAPROXY_CFG" | "$KEEPALIVED_CONF" | "$CONTAINERD_CONFIG_TOML")
        if test -e "$target" && ! grep -q '^# Written by haplane' "$target"; then
            cmp -s "$target" "$target.before-haplane" || cp -p --backup=numbered "$target" "$target.before-haplane"
        fi
        ;;
    esac
    cp -p "$file" "$target.haplane-new"
    sync "$target.haplane-new"
    mv -f "$target.haplane-new" "$target"
done
if [ "$units" = yes ]; then systemctl daemon-reload; fi
