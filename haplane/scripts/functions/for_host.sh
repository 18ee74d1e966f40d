# for_host COMMAND HOST: run a user's command, in which {host} is the host.

for_host() {
    sh -c "$(printf '%s\n' "$1" | sed "s/{host}/$2/g")"
}
