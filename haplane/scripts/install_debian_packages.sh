# Install packages with apt and dpkg, whose locks are waited for and whose questions about changed files are answered
# with what is there. An interrupted installation is finished first; a package that cannot be configured may be another
# one than those to install, which fail themselves if they need it.
# $directory: with .deb files to install instead of what the repositories have, or empty
# $@: the packages' names
# uses: in_turn

export DEBIAN_FRONTEND=noninteractive
apt() {
    in_turn apt-get -q --yes --no-install-recommends -o Dpkg::Options::=--force-confold "$@"
}

in_turn dpkg --force-confold --configure -a || echo "some packages that were installed before cannot be configured"
if [ -n "$directory" ]; then
    in_turn dpkg --force-confold --install "$directory"/*.deb
else
    apt update
    apt install -- "$@"
fi
