set -eu
ENCRYPTION_YAML='/etc/kubernetes/haplane/encryption.yaml'
ROTATION_SERVED='/etc/kubernetes/haplane/rotation/served'

umask 077
sha256sum < "$ENCRYPTION_YAML" | cut -d ' ' -f 1 > "$ROTATION_SERVED.haplane-new"
sync "$ROTATION_SERVED.haplane-new"
mv -f "$ROTATION_SERVED.haplane-new" "$ROTATION_SERVED"
