set -eu
digest='the digest'
file='the file'

umask 077
sha256sum < "$file" | cut -d ' ' -f 1 > "$digest.haplane-new"
sync "$digest.haplane-new"
mv -f "$digest.haplane-new" "$digest"
