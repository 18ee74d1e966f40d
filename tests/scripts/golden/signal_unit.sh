set -eu
signal='the signal'
unit='the unit'

systemctl is-active --quiet "$unit" || { echo "$unit does not run"; exit 1; }
systemctl kill --kill-whom=all --signal="$signal" "$unit"
