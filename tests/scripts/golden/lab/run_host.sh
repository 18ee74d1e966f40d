set -eu
cgroup='the cgroup'
options='the options'
root='the root'
set -- 'first' 'second; with '\''quotes'\'''

mount -t overlay overlay -o "$options" "$root"
while
    "$@"
    [ $? = 133 ]
do
    find /sys/fs/cgroup -path "*/$cgroup/*" -depth -type d -exec rmdir {} + || true
done
