# Upgrade the host's own packages with apt. Locks are waited for, questions about changed files are answered with what
# is there, and an installation that was interrupted is finished first. Nothing restarts containers or the kubelet:
# needrestart, which would, is set to list only.
#
# Prints "reboot" if the host has to be rebooted, then a line "PACKAGE VERSION" for each that is new. A kernel that was
# unpacked since the boot is a reason also where an earlier run unpacked it.
# uses: in_turn

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
