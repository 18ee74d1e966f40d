# Send a signal to all processes of a unit. One that does not run cannot be stopped, and need not be continued.
# $unit: its name
# $signal: STOP or CONT

if systemctl is-active --quiet "$unit"; then
    systemctl kill --kill-whom=all --signal="$signal" "$unit"
elif test "$signal" = STOP; then
    echo "$unit does not run"
    exit 1
fi
