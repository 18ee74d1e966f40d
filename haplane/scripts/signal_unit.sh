# Send a signal to all processes of a unit.
# $unit: its name
# $signal: STOP or CONT

systemctl is-active --quiet "$unit" || { echo "$unit does not run"; exit 1; }
systemctl kill --kill-whom=all --signal="$signal" "$unit"
