# Mount a host's disk and run the host, again when it reboots (nspawn ends with 133), after removing its old cgroups.
# $options: the mount's
# $root: where the disk is mounted
# $cgroup: the host's inner one
# $@: the command that runs the host

mount -t overlay overlay -o "$options" "$root"
while
    "$@"
    [ $? = 133 ]
do
    find /sys/fs/cgroup -path "*/$cgroup/*" -depth -type d -exec rmdir {} + || true
done
