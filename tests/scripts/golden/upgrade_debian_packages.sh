set -eu
DEADLINE_MARK='deadline passed:'
DPKG_INFO='/var/lib/dpkg/info'
REBOOT_REQUIRED='/var/run/reboot-required'

turn_by=$(($(date +%s) + 300))
in_turn() (
    printed=$(mktemp /run/haplane.XXXXXX)
    trap 'rm -f "$printed"' EXIT
    until "$@" > "$printed" 2>&1; do
        held=$(grep -m 1 -E 'Could not get lock|locked by another process' "$printed") || {
            cat "$printed" >&2
            exit 1
        }
        if [ "$(date +%s)" -ge "$turn_by" ]; then
            echo "$DEADLINE_MARK not within 300 s: apt and dpkg are not in use: $held" >&2
            exit 1
        fi
        sleep 1
    done
    cat "$printed" >&2
)

export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l NEEDRESTART_SUSPEND=1
apt() {
    in_turn apt-get -q --yes -o Dpkg::Options::=--force-confold "$@"
}
installed() {
    # shellcheck disable=SC2016 # dpkg's own variables
    dpkg-query --show --showformat='${db:Status-Abbrev}${Package} ${Version}\n' | sed -n 's/^ii  *//p' | sort
}

in_turn dpkg --force-confold --configure -a
before=$(installed)
apt update
apt upgrade --with-new-pkgs
new=$(installed | grep -vxF "$before") || test $? = 1
booted=$(awk '/^btime / {print $2}' /proc/stat)
kernels=$(find "$DPKG_INFO" -name 'linux-image-*.list' -newermt "@$booted")
if test -e "$REBOOT_REQUIRED" || test -n "$kernels"; then
    echo reboot
fi
test -z "$new" || printf '%s\n' "$new"
