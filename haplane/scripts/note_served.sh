# Remember the digest of the encryption keys as they are now: the API server has read them.

umask 077
sha256sum < "$ENCRYPTION_YAML" | cut -d ' ' -f 1 > "$ROTATION_SERVED.haplane-new"
sync "$ROTATION_SERVED.haplane-new"
mv -f "$ROTATION_SERVED.haplane-new" "$ROTATION_SERVED"
