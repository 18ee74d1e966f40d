set -eu
PACKAGES='/var/lib/haplane/packages'

mkdir -p "$PACKAGES"
tar -x -C "$PACKAGES" --no-same-owner
