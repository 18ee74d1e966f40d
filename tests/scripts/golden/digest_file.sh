set -eu
file='the file'

sha256sum < "$file"
stat -c %s -- "$file"
