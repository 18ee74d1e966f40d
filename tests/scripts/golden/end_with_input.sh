set -eu
set -- 'first' 'second; with '\''quotes'\'''

exec 3<&0
(cat <&3; kill $$) >/dev/null 2>&1 &
exec "$@" </dev/null 3<&-
