set -eu
signal='the signal'
unit='the unit'

if systemctl is-active --quiet "$unit"; then
    systemctl kill --kill-whom=all --signal="$signal" "$unit"
elif test "$signal" = STOP; then
    echo "$unit does not run"
    exit 1
fi
