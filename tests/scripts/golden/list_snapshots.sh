set -eu
directory='the directory'

test ! -d "$directory" || find "$directory/" -mindepth 2 -maxdepth 2 -type f -printf '%P\n'
