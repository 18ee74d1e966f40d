# Stop taking snapshots, and remove all but the snapshots themselves.
# $timer: its unit
# $service: its unit, of which a run may be under way
# $root: the agent's directory
# $@: every other file

for unit in "$timer" "$service"; do
    if systemctl cat "$unit" >/dev/null 2>&1; then systemctl stop "$unit"; fi
done
if systemctl cat "$timer" >/dev/null 2>&1; then systemctl disable --quiet "$timer"; fi
rm -f -- "$@"
rm -rf -- "$root"
systemctl daemon-reload
systemctl reset-failed "$timer" "$service" 2>/dev/null || : # units that have not failed are not loaded any more
