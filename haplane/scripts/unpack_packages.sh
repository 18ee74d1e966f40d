# Unpack the packages on standard input, a tar.

mkdir -p "$PACKAGES"
tar -x -C "$PACKAGES" --no-same-owner
