set -eu
file='the file'

cat -- "$file"
