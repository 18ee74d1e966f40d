set -eu
directory='the directory'
set -- 'first' 'second; with '\''quotes'\'''

export DEBIAN_FRONTEND=noninteractive
apt() {
    apt-get -q --yes --no-install-recommends -o Dpkg::Options::=--force-confold -o DPkg::Lock::Timeout=300 "$@"
}

dpkg --force-confold --configure -a || echo "some packages that were installed before cannot be configured"
if [ -n "$directory" ]; then
    dpkg --force-confold --install "$directory"/*.deb
else
    apt update
    apt install -- "$@"
fi
