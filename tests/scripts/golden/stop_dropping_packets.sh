set -eu

command -v nft >/dev/null || exit 0 # nothing was dropped without it
nft delete table inet haplane_drill 2>/dev/null || true
tables=$(nft list tables)
if printf '%s\n' "$tables" | grep -q -x 'table inet haplane_drill'; then
    echo "the table inet haplane_drill is still there" >&2
    exit 1
fi
