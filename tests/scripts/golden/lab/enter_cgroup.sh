set -eu
procs='the procs'

for file in $procs; do
    echo $$ >"$file"
done
exec "$@"
