# Send etcd a signal.
# $signal: STOP or CONT

process=$(systemctl show etcd.service --property=MainPID --value)
test "$process" != 0 || { echo "etcd does not run"; exit 1; }
kill -s "$signal" "$process"
