# On this machine: become a command that ends as soon as standard input does.
# $@: the command

exec 3<&0
(cat <&3; kill $$) >/dev/null 2>&1 &
exec "$@" </dev/null 3<&-
