# Inside the layer of load balancers: install these packages, and keep their .deb files with those of every dependency
# that the plain tree lacks.
# $@: the packages' names

apt-get -q update
apt-get -q -y --no-install-recommends --download-only install "$@"
cp /var/cache/apt/archives/*.deb /packages/
apt-get -q -y --no-install-recommends install "$@"
systemctl disable "$@"
apt-get clean
rm -rf /var/lib/apt/lists/*
