set -eu
set -- 'first' 'second; with '\''quotes'\'''

apt-get -q update
apt-get -q -y --no-install-recommends --download-only install "$@"
cp /var/cache/apt/archives/*.deb /packages/
apt-get -q -y --no-install-recommends install "$@"
systemctl disable "$@"
apt-get clean
rm -rf /var/lib/apt/lists/*
