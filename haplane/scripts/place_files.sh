# Put the files of the tar on standard input, in base64, where they belong. Each is complete under a name of its own,
# and on disk, before it takes its final name.
# $owner: "etcd" where some belong to etcd's user
# $kernel: "yes" where the kernel's settings are among them
# $units: "yes" where systemd's units are among them
# uses: ensure_etcd_user

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
