# Install packages with apt and dpkg, whose lock is waited for and whose questions about changed files are answered with
# what is there. An interrupted installation is finished first; a package that cannot be configured may be another one
# than those to install, which fail themselves if they need it.
# $directory: with .deb files to install instead of what the repositories have, or empty
# $@: the packages' names

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
