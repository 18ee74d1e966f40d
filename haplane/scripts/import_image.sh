# Import an archive into containerd, unless that lists the image which the archive is for. Archives arrive while
# containerd is still to be started.
#
# An import that has begun outlives its run (hold.py ends what has the mark): containerd lists an image before that is
# unpacked, so nobody would complete it, and the first container of it would wait for that. For the same reason the
# images of an archive whose import fails are removed from the list, but those that were on it before. A full disk is no
# reason to try again.
#
# The receiver on the host (remote/on_host/receive.py) runs it for each archive. Its arguments are the names of the
# images in it; HAPLANE_ARCHIVE, HAPLANE_IMAGE (empty: import it in any case) and HAPLANE_PACKED (not empty: leave the
# layers packed) are in its environment.
# $containerd_seconds: until containerd serves
# $import_seconds: for the import, from then on

new=
listed() { ctr -n k8s.io images list -q | grep -qxF -- "$1"; }
import() {
    listed "$HAPLANE_IMAGE" || env -u HAPLANE_RUN timeout "$import_seconds" \
        ctr -n k8s.io images import --local ${HAPLANE_PACKED:+"--no-unpack"} "$HAPLANE_ARCHIVE"
}
# shellcheck disable=SC2086 # names of images hold no blanks
forget() { test -z "$new" || ctr -n k8s.io images rm $new >/dev/null 2>&1 || :; }
full() { grep -qiF "no space left on device" /proc/self/fd/2; }
begin() { began=$(date +%s) seconds=$1; }
go_on() { test $(($(date +%s) - began)) -lt "$seconds" && sleep 0.3; }

begin "$containerd_seconds"
until test -S /run/containerd/containerd.sock; do
    go_on || { echo "it did not start within $seconds s" >&2; exit 1; }
done
for name; do listed "$name" || new="$new $name"; done
begin "$import_seconds"
until import; do
    failed=$?
    forget
    if ! full && go_on; then continue; fi
    test "$failed" != 124 || echo "it took longer than $seconds s" >&2
    exit 1
done
