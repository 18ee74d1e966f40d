set -eu
newest_process='the newest_process'
set -- 'first' 'second; with '\''quotes'\'''

pod=$(python3 -I -c "$newest_process" coredns)
exec nsenter --net --target "$pod" "$@"
