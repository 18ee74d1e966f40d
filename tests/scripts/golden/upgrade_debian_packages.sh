set -eu
REBOOT_REQUIRED='/var/run/reboot-required'

export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l NEEDRESTART_SUSPEND=1
apt() {
    apt-get -q --yes -o Dpkg::Options::=--force-confold -o DPkg::Lock::Timeout=300 "$@" >&2
}
installed() {
    # shellcheck disable=SC2016 # dpkg's own variables
    dpkg-query --show --showformat='${db:Status-Abbrev}${Package} ${Version}\n' | sed -n 's/^ii  *//p' | sort
}

dpkg --force-confold --configure -a >&2
before=$(installed)
apt update
apt upgrade --with-new-pkgs
new=$(installed | grep -vxF "$before") || test $? = 1
if test -e "$REBOOT_REQUIRED" || printf '%s\n' "$new" | grep -q '^linux-image-'; then
    echo reboot
fi
printf '%s\n' "$new"
