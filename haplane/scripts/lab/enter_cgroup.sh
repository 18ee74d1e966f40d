# Become a command, which is in the arguments, inside a cgroup.
# $procs: the cgroup.procs file of each hierarchy, as words

for file in $procs; do
    echo $$ >"$file"
done
exec "$@"
