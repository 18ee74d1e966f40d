# Print the SHA-256, a dash and the size in bytes.
# $file: whose

sha256sum < "$file"
stat -c %s -- "$file"
