set -eu
root='the root'
service='the service'
timer='the timer'
set -- 'first' 'second; with '\''quotes'\'''

for unit in "$timer" "$service"; do
    if systemctl cat "$unit" >/dev/null 2>&1; then systemctl stop "$unit"; fi
done
if systemctl cat "$timer" >/dev/null 2>&1; then systemctl disable --quiet "$timer"; fi
rm -f -- "$@"
rm -rf -- "$root"
systemctl daemon-reload
systemctl reset-failed "$timer" "$service" 2>/dev/null || : # units that have not failed are not loaded any more
