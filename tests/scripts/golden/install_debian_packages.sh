set -eu
DEADLINE_MARK='deadline passed:'
directory='the directory'
set -- 'first' 'second; with '\''quotes'\'''

turn_by=$(($(date +%s) + 300))
in_turn() (
    printed=$(mktemp /run/haplane.XXXXXX)
    trap 'rm -f "$printed"' EXIT
    until "$@" > "$printed" 2>&1; do
        held=$(grep -m 1 -E 'Could not get lock|locked by another process' "$printed") || {
            cat "$printed" >&2
            exit 1
        }
        if [ "$(date +%s)" -ge "$turn_by" ]; then
            echo "$DEADLINE_MARK not within 300 s: apt and dpkg are not in use: $held" >&2
            exit 1
        fi
        sleep 1
    done
    cat "$printed" >&2
)

export DEBIAN_FRONTEND=noninteractive
apt() {
    in_turn apt-get -q --yes --no-install-recommends -o Dpkg::Options::=--force-confold "$@"
}

in_turn dpkg --force-confold --configure -a || echo "some packages that were installed before cannot be configured"
if [ -n "$directory" ]; then
    in_turn dpkg --force-confold --install "$directory"/*.deb
else
    apt update
    apt install -- "$@"
fi
