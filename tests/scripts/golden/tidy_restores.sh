set -eu
data='the data'
keep='the keep'

for left in "$data"/restore-*; do
    if [ "$left" != "$keep" ]; then rm -rf --one-file-system -- "$left"; fi
done
