# Unpack the snapshot agent, a .tar.gz on standard input, and switch to it. A run that is under way goes on in the
# directory it started from, which stays until the next switch.
# $root: what agents' directories are named after
# $directory: this agent's
# $link: what the timer runs

umask 022
if [ ! -d "$directory" ]; then
    staging=$(mktemp -d "$root.XXXXXX")
    trap 'rm -rf "$staging"' EXIT
    tar -x -z -C "$staging" --no-same-owner
    python3 -I -m compileall -q "$staging"
    chmod 755 "$staging"
    sync -f "$staging"
    mkdir -p "$root"
    mv -T "$staging" "$directory"
fi
before=$(readlink "$link" || :)
rm -f "$link.new"
ln -s "${directory##*/}" "$link.new"
mv -f -T "$link.new" "$link"
for other in "$root"/agent-*; do
    [ "${other##*/}" = "${directory##*/}" ] || [ "${other##*/}" = "${before##*/}" ] || rm -rf "$other"
done
