# $deadline_seconds: for how long
# uses: wait_for reads_through_quorum

wait_for "$deadline_seconds" "this member reads through quorum" reads_through_quorum
